#include "engine/sqlite_type.h"

#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

/* Whether declared is the word, with or without something in parentheses behind it. */
static bool is_named(const char *declared, const char *word)
{
    size_t size = strlen(word);

    return sqlite3_strnicmp(declared, word, (int)size) == 0 &&
           (declared[size] == '\0' || declared[size] == '(' || declared[size] == ' ');
}

static bool has(const char *declared, const char *part)
{
    size_t size = strlen(part);

    for (const char *at = declared; strlen(at) >= size; at++)
        if (sqlite3_strnicmp(at, part, (int)size) == 0)
            return true;
    return false;
}

enum fleet_type sqlite_fleet_type(const char *declared, bool strict)
{
    static const struct {
        const char *word;
        enum fleet_type type;
    } named[] = {
        {"BOOLEAN",     FLEET_BOOLEAN    },
        {"BOOL",        FLEET_BOOLEAN    },
        {"DATE",        FLEET_DATE       },
        {"TIME",        FLEET_TIME       },
        {"DATETIME",    FLEET_TIMESTAMP  },
        {"TIMESTAMP",   FLEET_TIMESTAMP  },
        {"TIMESTAMPTZ", FLEET_TIMESTAMPTZ},
        {"UUID",        FLEET_UUID       },
        {"JSON",        FLEET_JSON       },
        {"JSONB",       FLEET_JSONB      },
    };

    if (declared[0] == '\0' || (strict && sqlite3_stricmp(declared, "ANY") == 0))
        return FLEET_ANY;
    if (has(declared, "INT"))
        return FLEET_INTEGER;
    if (has(declared, "CHAR") || has(declared, "CLOB") || has(declared, "TEXT"))
        return FLEET_TEXT;
    if (has(declared, "BLOB"))
        return FLEET_BLOB;
    if (has(declared, "REAL") || has(declared, "FLOA") || has(declared, "DOUB"))
        return FLEET_REAL;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (is_named(declared, named[i].word))
            return named[i].type;
    return FLEET_NUMERIC;
}

const char *sqlite_collation(const char *name)
{
    static const char *const own[] = {"BINARY", "NOCASE", "RTRIM"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (sqlite3_stricmp(name, own[i]) == 0)
            return own[i];
    return name;
}
