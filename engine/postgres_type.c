#include "engine/postgres_type.h"

#include <stddef.h>
#include <string.h>

/* Oids of the built-in types never change. */
static const struct {
    uint32_t oid;
    enum fleet_type type;
} built_in[] = {
    {16,   FLEET_BOOLEAN    }, /* boolean */
    {17,   FLEET_BLOB       }, /* bytea */
    {19,   FLEET_TEXT       }, /* name */
    {20,   FLEET_INTEGER    }, /* bigint */
    {21,   FLEET_INTEGER    }, /* smallint */
    {23,   FLEET_INTEGER    }, /* integer */
    {25,   FLEET_TEXT       }, /* text */
    {26,   FLEET_INTEGER    }, /* oid */
    {114,  FLEET_JSON       }, /* json */
    {700,  FLEET_REAL       }, /* real */
    {701,  FLEET_REAL       }, /* double precision */
    {1042, FLEET_TEXT       }, /* character */
    {1043, FLEET_TEXT       }, /* character varying */
    {1082, FLEET_DATE       }, /* date */
    {1083, FLEET_TIME       }, /* time without time zone */
    {1114, FLEET_TIMESTAMP  }, /* timestamp without time zone */
    {1184, FLEET_TIMESTAMPTZ}, /* timestamp with time zone */
    {1186, FLEET_INTERVAL   }, /* interval */
    {1266, FLEET_TIME       }, /* time with time zone */
    {1700, FLEET_NUMERIC    }, /* numeric */
    {2950, FLEET_UUID       }, /* uuid */
    {3802, FLEET_JSONB      }, /* jsonb */
};

enum { INT2VECTOR = 22, OIDVECTOR = 30 }; /* arrays that don't print as such */

enum { DOMAINS_MAX = 64 }; /* one above the other */

enum fleet_type postgres_fleet_type(const struct postgres_type *type)
{
    for (unsigned depth = 0; type->kind == 'd'; depth++) {
        if (type->base == NULL || depth == DOMAINS_MAX)
            return FLEET_OTHER;
        type = type->base;
    }
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++)
        if (built_in[i].oid == type->oid)
            return built_in[i].type;
    if (type->kind == 'b' && type->category == 'A' && type->element != 0 &&
        type->oid != INT2VECTOR && type->oid != OIDVECTOR)
        return FLEET_ARRAY;
    if (type->kind == 'b' && type->category == 'S' && strcmp(type->name, "citext") == 0)
        return FLEET_TEXT;
    return FLEET_OTHER;
}
