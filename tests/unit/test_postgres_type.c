#include "engine/postgres_type.h"

#include <criterion/criterion.h>

static const struct postgres_type integer = {23, "int4", "pg_catalog", 'b', 'N', 0, NULL};
static const struct postgres_type texts = {1009, "_text", "pg_catalog", 'b',
                                           'A',  25,      NULL};
static const struct postgres_type year = {20000, "year", "public", 'd', 'N', 0, &integer};
static const struct postgres_type circle_of_domains = {
    20001, "round", "public", 'd', 'N', 0, &circle_of_domains};

Test(postgres_type, is_known_by_its_oid_category_or_base)
{
    static const struct {
        struct postgres_type type;
        enum fleet_type fleet;
    } cases[] = {
        {{16, "bool", "pg_catalog", 'b', 'B', 0, NULL},               FLEET_BOOLEAN    },
        {{17, "bytea", "pg_catalog", 'b', 'U', 0, NULL},              FLEET_BLOB       },
        {{18, "char", "pg_catalog", 'b', 'Z', 0, NULL},               FLEET_OTHER      },
        {{19, "name", "pg_catalog", 'b', 'S', 18, NULL},              FLEET_TEXT       },
        {{20, "int8", "pg_catalog", 'b', 'N', 0, NULL},               FLEET_INTEGER    },
        {{21, "int2", "pg_catalog", 'b', 'N', 0, NULL},               FLEET_INTEGER    },
        {{22, "int2vector", "pg_catalog", 'b', 'A', 21, NULL},        FLEET_OTHER      },
        {{23, "int4", "pg_catalog", 'b', 'N', 0, NULL},               FLEET_INTEGER    },
        {{24, "regproc", "pg_catalog", 'b', 'N', 0, NULL},            FLEET_OTHER      },
        {{25, "text", "pg_catalog", 'b', 'S', 0, NULL},               FLEET_TEXT       },
        {{26, "oid", "pg_catalog", 'b', 'N', 0, NULL},                FLEET_INTEGER    },
        {{30, "oidvector", "pg_catalog", 'b', 'A', 26, NULL},         FLEET_OTHER      },
        {{114, "json", "pg_catalog", 'b', 'U', 0, NULL},              FLEET_JSON       },
        {{142, "xml", "pg_catalog", 'b', 'U', 0, NULL},               FLEET_OTHER      },
        {{600, "point", "pg_catalog", 'b', 'G', 701, NULL},           FLEET_OTHER      },
        {{700, "float4", "pg_catalog", 'b', 'N', 0, NULL},            FLEET_REAL       },
        {{701, "float8", "pg_catalog", 'b', 'N', 0, NULL},            FLEET_REAL       },
        {{790, "money", "pg_catalog", 'b', 'N', 0, NULL},             FLEET_OTHER      },
        {{869, "inet", "pg_catalog", 'b', 'I', 0, NULL},              FLEET_OTHER      },
        {{1007, "_int4", "pg_catalog", 'b', 'A', 23, NULL},           FLEET_ARRAY      },
        {{1042, "bpchar", "pg_catalog", 'b', 'S', 0, NULL},           FLEET_TEXT       },
        {{1043, "varchar", "pg_catalog", 'b', 'S', 0, NULL},          FLEET_TEXT       },
        {{1082, "date", "pg_catalog", 'b', 'D', 0, NULL},             FLEET_DATE       },
        {{1083, "time", "pg_catalog", 'b', 'D', 0, NULL},             FLEET_TIME       },
        {{1114, "timestamp", "pg_catalog", 'b', 'D', 0, NULL},        FLEET_TIMESTAMP  },
        {{1184, "timestamptz", "pg_catalog", 'b', 'D', 0, NULL},      FLEET_TIMESTAMPTZ},
        {{1186, "interval", "pg_catalog", 'b', 'T', 0, NULL},         FLEET_INTERVAL   },
        {{1266, "timetz", "pg_catalog", 'b', 'D', 0, NULL},           FLEET_TIME       },
        {{1560, "bit", "pg_catalog", 'b', 'V', 0, NULL},              FLEET_OTHER      },
        {{1700, "numeric", "pg_catalog", 'b', 'N', 0, NULL},          FLEET_NUMERIC    },
        {{2950, "uuid", "pg_catalog", 'b', 'U', 0, NULL},             FLEET_UUID       },
        {{3614, "tsvector", "pg_catalog", 'b', 'U', 0, NULL},         FLEET_OTHER      },
        {{3802, "jsonb", "pg_catalog", 'b', 'U', 0, NULL},            FLEET_JSONB      },
        {{3904, "int4range", "pg_catalog", 'r', 'R', 0, NULL},        FLEET_OTHER      },
        {{4451, "int4multirange", "pg_catalog", 'm', 'R', 0, NULL},   FLEET_OTHER      },
        {{20000, "mood", "public", 'e', 'E', 0, NULL},                FLEET_OTHER      },
        {{20000, "_mood", "public", 'b', 'A', 20001, NULL},           FLEET_ARRAY      },
        {{20000, "pair", "public", 'c', 'C', 0, NULL},                FLEET_OTHER      },
        {{20000, "hstore", "public", 'b', 'U', 0, NULL},              FLEET_OTHER      },
        {{20000, "citext", "ext", 'b', 'S', 0, NULL},                 FLEET_TEXT       },
        {{20000, "citext", "public", 'e', 'E', 0, NULL},              FLEET_OTHER      },
        {{20000, "int4", "public", 'c', 'C', 0, NULL},                FLEET_OTHER      },
        {{20000, "year", "public", 'd', 'N', 0, &integer},            FLEET_INTEGER    },
        {{20002, "leap_year", "public", 'd', 'N', 0, &year},          FLEET_INTEGER    },
        {{20002, "names", "public", 'd', 'S', 0, &texts},             FLEET_ARRAY      },
        {{20002, "lost", "public", 'd', 'S', 0, NULL},                FLEET_OTHER      },
        {{20002, "round", "public", 'd', 'S', 0, &circle_of_domains}, FLEET_OTHER      },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(postgres_fleet_type(&cases[i].type), cases[i].fleet, "%s.%s",
                     cases[i].type.schema, cases[i].type.name);
}
