/* Values of every type of a real server: printed, taken, sent back and stored again, as
 * parameters and by COPY, they are the same value, bit for bit. */
#include "engine/postgres_connection.h"
#include "engine/postgres_copy.h"
#include "engine/postgres_type.h"
#include "engine/postgres_value.h"
#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char setup[] =
    "CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION citext SCHEMA public;"
    "CREATE SCHEMA \"Odd.Name\";"
    "CREATE TYPE \"Odd.Name\".\"Mood\" AS ENUM ('sad', 'it''s \"ok\"', 'größe', '\\N');"
    "CREATE DOMAIN public.year AS integer CHECK (VALUE > 0);"
    "CREATE DOMAIN public.late AS public.year NOT NULL CHECK (VALUE > 2000);"
    "CREATE DOMAIN public.words AS varchar(5)[];"
    "CREATE TYPE public.pair AS (n numeric, t text, w \"Odd.Name\".\"Mood\"[]);"
    "CREATE TYPE public.span AS RANGE (subtype = text);"
    "CREATE TABLE public.parameter (id int PRIMARY KEY);"
    "CREATE TABLE public.copied (id int PRIMARY KEY);";

/* Each an expression that is cast to the type; NULL: the type of the row before. */
static const struct {
    const char *type;
    enum fleet_type fleet;
    const char *expression;
} cases[] = {
    {"boolean",                   FLEET_BOOLEAN,     "'t'"                                                           },
    {NULL,                        0,                 "'f'"                                                           },
    {NULL,                        0,                 "NULL"                                                          },
    {"smallint",                  FLEET_INTEGER,     "-32768"                                                        },
    {NULL,                        0,                 "32767"                                                         },
    {"integer",                   FLEET_INTEGER,     "-2147483648"                                                   },
    {NULL,                        0,                 "2147483647"                                                    },
    {NULL,                        0,                 "NULL"                                                          },
    {"bigint",                    FLEET_INTEGER,     "-9223372036854775808"                                          },
    {NULL,                        0,                 "9223372036854775807"                                           },
    {NULL,                        0,                 "0"                                                             },
    {"oid",                       FLEET_INTEGER,     "0"                                                             },
    {NULL,                        0,                 "4294967295"                                                    },
    {"real",                      FLEET_REAL,        "0.1"                                                           },
    {NULL,                        0,                 "'-0'"                                                          },
    {NULL,                        0,                 "'NaN'"                                                         },
    {NULL,                        0,                 "'Infinity'"                                                    },
    {NULL,                        0,                 "'-Infinity'"                                                   },
    {NULL,                        0,                 "1e-45"                                                         },
    {NULL,                        0,                 "3.4028235e38"                                                  },
    {NULL,                        0,                 "16777216"                                                      },
    {NULL,                        0,                 "1e15"                                                          },
    {NULL,                        0,                 "1.0000001"                                                     },
    {NULL,                        0,                 "'1.17549435e-38'"                                              },
    {NULL,                        0,                 "0.3::float8 / 3"                                               },
    {"double precision",          FLEET_REAL,        "0.1"                                                           },
    {NULL,                        0,                 "'-0'"                                                          },
    {NULL,                        0,                 "'NaN'"                                                         },
    {NULL,                        0,                 "'Infinity'"                                                    },
    {NULL,                        0,                 "'-Infinity'"                                                   },
    {NULL,                        0,                 "'5e-324'"                                                      },
    {NULL,                        0,                 "1.7976931348623157e308"                                        },
    {NULL,                        0,                 "9007199254740993"                                              },
    {NULL,                        0,                 "1e15"                                                          },
    {NULL,                        0,                 "1e16"                                                          },
    {NULL,                        0,                 "1e-5"                                                          },
    {NULL,                        0,                 "0.1 + 0.2"                                                     },
    {NULL,                        0,                 "'2.2250738585072014e-308'"                                     },
    {NULL,                        0,                 "'-1.5e-323'"                                                   },
    {"numeric",                   FLEET_NUMERIC,     "0"                                                             },
    {NULL,                        0,                 "1.50"                                                          },
    {NULL,                        0,                 "'-0.00'"                                                       },
    {NULL,                        0,                 "'NaN'"                                                         },
    {NULL,                        0,                 "'Infinity'"                                                    },
    {NULL,                        0,                 "'-Infinity'"                                                   },
    {NULL,                        0,                 "repeat('7', 1000) || '.' || repeat('3', 1000)"                 },
    {NULL,                        0,                 "'1e1000'"                                                      },
    {NULL,                        0,                 "'1e-1000'"                                                     },
    {NULL,                        0,                 "'-9223372036854775809'"                                        },
    {NULL,                        0,                 "'12345678901234567890.000'"                                    },
    {"numeric(10,3)",             FLEET_NUMERIC,     "1.0005"                                                        },
    {NULL,                        0,                 "'NaN'"                                                         },
    {NULL,                        0,                 "-9999999.999"                                                  },
    {"money",                     FLEET_OTHER,       "12.5"                                                          },
    {NULL,                        0,                 "-92233720368547758.08"                                         },
    {"text",                      FLEET_TEXT,        "''"                                                            },
    {NULL,                        0,                 "'NULL'"                                                        },
    {NULL,                        0,                 "'\\N'"                                                         },
    {NULL,                        0,                 "E'a\\\\b\\b\\f\\n\\r\\t\\v'"                                   },
    {NULL,                        0,                 "'größe 日本語 عربي 😀'"                             },
    {NULL,                        0,                 "(SELECT string_agg(chr(i), '') FROM generate_series(1, 700) i)"},
    {NULL,                        0,                 "'\\.'"                                                         },
    {NULL,                        0,                 "NULL"                                                          },
    {NULL,                        0,                 "repeat('x', 100000)"                                           },
    {NULL,                        0,                 "E'e\\u0301'"                                                   },
    {NULL,                        0,                 "' a '"                                                         },
    {"character varying(5)",      FLEET_TEXT,        "''"                                                            },
    {NULL,                        0,                 "'abcde'"                                                       },
    {NULL,                        0,                 "'日本 '"                                                     },
    {"character(5)",              FLEET_TEXT,        "''"                                                            },
    {NULL,                        0,                 "'a'"                                                           },
    {NULL,                        0,                 "'日本'"                                                      },
    {NULL,                        0,                 "E'\\t'"                                                        },
    {"name",                      FLEET_TEXT,        "''"                                                            },
    {NULL,                        0,                 "'x y'"                                                         },
    {"\"char\"",                  FLEET_OTHER,       "''"                                                            },
    {NULL,                        0,                 "'a'"                                                           },
    {NULL,                        0,                 "' '"                                                           },
    {NULL,                        0,                 "'\\'"                                                          },
    {"public.citext",             FLEET_TEXT,        "'Größe'"                                                     },
    {NULL,                        0,                 "''"                                                            },
    {"bytea",                     FLEET_BLOB,        "''"                                                            },
    {NULL,                        0,                 "'\\x00ff5c4e'"                                                 },
    {NULL,                        0,                 "decode('0a0d5c78', 'hex')"                                     },
    {NULL,                        0,                 "NULL"                                                          },
    {"date",                      FLEET_DATE,        "'infinity'"                                                    },
    {NULL,                        0,                 "'-infinity'"                                                   },
    {NULL,                        0,                 "'0044-03-15 BC'"                                               },
    {NULL,                        0,                 "'5874897-12-31'"                                               },
    {NULL,                        0,                 "'2024-02-29'"                                                  },
    {"time",                      FLEET_TIME,        "'24:00:00'"                                                    },
    {NULL,                        0,                 "'00:00:00.000001'"                                             },
    {"time(0)",                   FLEET_TIME,        "'12:30:00.6'"                                                  },
    {"timetz",                    FLEET_TIME,        "'24:00:00-15:59'"                                              },
    {NULL,                        0,                 "'12:00:00.1+05:30'"                                            },
    {"timestamp",                 FLEET_TIMESTAMP,   "'infinity'"                                                    },
    {NULL,                        0,                 "'-infinity'"                                                   },
    {NULL,                        0,                 "'4713-01-01 00:00:00 BC'"                                      },
    {NULL,                        0,                 "'294276-12-31 23:59:59.999999'"                                },
    {NULL,                        0,                 "'2024-06-01 00:00:00'"                                         },
    {"timestamp(3)",              FLEET_TIMESTAMP,   "'2024-06-01 00:00:00.0006'"                                    },
    {"timestamptz",               FLEET_TIMESTAMPTZ, "'infinity'"                                                    },
    {NULL,                        0,                 "'4713-01-01 00:00:00+00 BC'"                                   },
    {NULL,                        0,                 "'2024-03-31 02:30:00+02'"                                      },
    {NULL,                        0,                 "'1880-01-01 00:00:00 Europe/Amsterdam'"                        },
    {"interval",                  FLEET_INTERVAL,    "'0'"                                                           },
    {NULL,                        0,                 "'-1 year -2 mons +3 days -04:05:06.7'"                         },
    {NULL,                        0,                 "'178000000 years'"                                             },
    {NULL,                        0,                 "'-0.000001 seconds'"                                           },
    {NULL,                        0,                 "'1 day -1 hour'"                                               },
    {"interval day to second(2)", FLEET_INTERVAL,    "'1 day 00:00:01.239'"                                          },
    {"uuid",                      FLEET_UUID,        "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"                        },
    {"json",                      FLEET_JSON,        "' {\"a\" : 1.0, \"a\": [null, \"\\u00e9\\n\"]}'"               },
    {NULL,                        0,                 "'null'"                                                        },
    {"jsonb",                     FLEET_JSONB,       "' {\"b\" : 1.0, \"a\": [null, \"é\\n\\\\\"]}'"                },
    {NULL,                        0,                 "'1e400'"                                                       },
    {"jsonpath",                  FLEET_OTHER,       "'$.a[*] ? (@ > 1)'"                                            },
    {"xml",                       FLEET_OTHER,       "'<a b=\"1\">é &amp; </a>'"                                    },
    {NULL,                        0,                 "'plain'"                                                       },
    {NULL,                        0,                 "''"                                                            },
    {"integer[]",                 FLEET_ARRAY,       "'{}'"                                                          },
    {NULL,                        0,                 "'{1,NULL,-3}'"                                                 },
    {NULL,                        0,                 "'[0:1][2:3]={{1,2},{3,4}}'"                                    },
    {NULL,                        0,                 "NULL"                                                          },
    {"text[]",                    FLEET_ARRAY,
     "array['', 'NULL', 'a\"b', '\\', ' x ', 'a,b', '{}', NULL, E'\\n\\t']"                                          },
    {NULL,                        0,                 "'{{{a},{b}},{{c},{d}}}'"                                       },
    {"bytea[]",                   FLEET_ARRAY,       "array['\\x00'::bytea, ''::bytea]"                              },
    {"real[]",                    FLEET_ARRAY,       "'{0.1,NaN,-0,1e-45}'"                                          },
    {"public.pair[]",             FLEET_ARRAY,
     "array[row(1.50, E'a \"b\\\\', array['it''s \"ok\"'])::public.pair]"                                            },
    {NULL,                        0,                 "array[row(1, NULL, NULL)::public.pair, NULL]"                  },
    {"int2vector",                FLEET_OTHER,       "'1 2 3'"                                                       },
    {NULL,                        0,                 "''"                                                            },
    {"\"Odd.Name\".\"Mood\"",     FLEET_OTHER,       "'sad'"                                                         },
    {NULL,                        0,                 "'it''s \"ok\"'"                                                },
    {NULL,                        0,                 "'größe'"                                                     },
    {NULL,                        0,                 "'\\N'"                                                         },
    {"public.late",               FLEET_INTEGER,     "2001"                                                          },
    {"public.words",              FLEET_ARRAY,       "'{abcde,NULL}'"                                                },
    {"public.pair",               FLEET_OTHER,       "row(1.50, E'a \"b\\\\\\n', array['sad', 'größe'])"           },
    {NULL,                        0,                 "row(NULL, NULL, NULL)"                                         },
    {NULL,                        0,                 "row(NULL, '', '{}')"                                           },
    {NULL,                        0,                 "NULL"                                                          },
    {"int4range",                 FLEET_OTHER,       "'[1,5)'"                                                       },
    {NULL,                        0,                 "'empty'"                                                       },
    {NULL,                        0,                 "'(,)'"                                                         },
    {"numrange",                  FLEET_OTHER,       "'(1.50,Infinity]'"                                             },
    {"tstzrange",                 FLEET_OTHER,       "'[2024-01-01 00:00:00+02,infinity)'"                           },
    {"public.span",               FLEET_OTHER,       "'[\"a,\\\\\",\"b\"\")\"]'"                                     },
    {"int4multirange",            FLEET_OTHER,       "'{}'"                                                          },
    {NULL,                        0,                 "'{[1,3),[5,9)}'"                                               },
    {"inet",                      FLEET_OTHER,       "'192.168.0.1/24'"                                              },
    {NULL,                        0,                 "'::1'"                                                         },
    {NULL,                        0,                 "'10.0.0.1'"                                                    },
    {"cidr",                      FLEET_OTHER,       "'192.168.0.0/24'"                                              },
    {NULL,                        0,                 "'2001:db8::/32'"                                               },
    {"macaddr",                   FLEET_OTHER,       "'08:00:2B:01:02:03'"                                           },
    {"macaddr8",                  FLEET_OTHER,       "'08:00:2b:01:02:03:04:05'"                                     },
    {"bit(5)",                    FLEET_OTHER,       "'10101'"                                                       },
    {"bit varying",               FLEET_OTHER,       "''"                                                            },
    {NULL,                        0,                 "'101'"                                                         },
    {"tsvector",                  FLEET_OTHER,       "'a:1A fat:2,4 ''it''''s'':3'"                                  },
    {NULL,                        0,                 "''"                                                            },
    {"tsquery",                   FLEET_OTHER,       "'fat & !(rat:ab* <-> cat)'"                                    },
    {NULL,                        0,                 "''"                                                            },
    {"point",                     FLEET_OTHER,       "'(0.1,-0)'"                                                    },
    {NULL,                        0,                 "'(NaN,Infinity)'"                                              },
    {"line",                      FLEET_OTHER,       "'{1,-1,0.1}'"                                                  },
    {"lseg",                      FLEET_OTHER,       "'[(0,0),(1,1)]'"                                               },
    {"box",                       FLEET_OTHER,       "'(1,1),(0,0)'"                                                 },
    {"box[]",                     FLEET_ARRAY,       "'{(1,1),(0,0);(2,2),(1,1)}'"                                   },
    {"path",                      FLEET_OTHER,       "'[(0,0),(1,1)]'"                                               },
    {NULL,                        0,                 "'((0,0),(1,1))'"                                               },
    {"polygon",                   FLEET_OTHER,       "'((0,0),(1,1),(2,0))'"                                         },
    {"circle",                    FLEET_OTHER,       "'<(0.1,0.2),1e-10>'"                                           },
    {"public.hstore",             FLEET_OTHER,       "'a=>1, \"b c\"=>NULL, \"\\\"\"=>\"\\\\\"'"                     },
    {NULL,                        0,                 "''"                                                            },
    {"pg_lsn",                    FLEET_OTHER,       "'16/B374D848'"                                                 },
    {"xid8",                      FLEET_OTHER,       "'18446744073709551615'"                                        },
    {"tid",                       FLEET_OTHER,       "'(4294967295,65535)'"                                          },
    {"regclass",                  FLEET_OTHER,       "'pg_class'"                                                    },
    {NULL,                        0,                 "'public.copied'"                                               },
    {NULL,                        0,                 "'-'"                                                           },
    {"regtype",                   FLEET_OTHER,       "'integer'"                                                     },
    {NULL,                        0,                 "'\"Odd.Name\".\"Mood\"'"                                       },
};

enum { CASES = sizeof cases / sizeof *cases };

static struct postgres *postgres;
static struct error err;
static struct buffer scratch, sent, lines;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

__attribute__((format(printf, 1, 2))) static PGresult *ask(const char *format, ...)
{
    char *sql = NULL;
    PGresult *result;
    va_list arguments;

    va_start(arguments, format);
    cr_assert_geq(vasprintf(&sql, format, arguments), 0);
    va_end(arguments);
    result = PQexec(postgres_handle(postgres), sql);
    cr_assert(PQresultStatus(result) == PGRES_COMMAND_OK ||
                  PQresultStatus(result) == PGRES_TUPLES_OK,
              "%s: %s", sql, PQresultErrorMessage(result));
    free(sql);
    return result;
}

static struct bytes cell(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column) != 0)
        return (struct bytes){NULL, 0};
    return (struct bytes){(const uint8_t *)PQgetvalue(result, row, column),
                          (size_t)PQgetlength(result, row, column)};
}

/* From the catalog, a domain with what it stands on. */
static enum fleet_type fleet_type_of(const char *type)
{
    enum { OID, NAME, SCHEMA, KIND, CATEGORY, ELEMENT };
    PGresult *result = ask(
        "WITH RECURSIVE t AS (SELECT 0 AS depth, * FROM pg_type WHERE oid = '%s'::regtype"
        " UNION ALL SELECT t.depth + 1, b.* FROM t JOIN pg_type b ON b.oid = "
        "t.typbasetype)"
        " SELECT oid, typname, typnamespace::regnamespace, typtype, typcategory, typelem"
        " FROM t ORDER BY depth",
        type);
    struct postgres_type types[8];
    int count = PQntuples(result);
    enum fleet_type fleet;

    cr_assert(count > 0 && count <= 8);
    for (int i = 0; i < count; i++)
        types[i] = (struct postgres_type){
            .oid = (uint32_t)strtoul(PQgetvalue(result, i, OID), NULL, 10),
            .name = PQgetvalue(result, i, NAME),
            .schema = PQgetvalue(result, i, SCHEMA),
            .kind = PQgetvalue(result, i, KIND)[0],
            .category = PQgetvalue(result, i, CATEGORY)[0],
            .element = (uint32_t)strtoul(PQgetvalue(result, i, ELEMENT), NULL, 10),
            .base = i + 1 < count ? &types[i + 1] : NULL,
        };
    fleet = postgres_fleet_type(types);
    PQclear(result);
    return fleet;
}

static char *terminated(struct bytes text)
{
    char *copy = calloc(1, text.size + 1);

    cr_assert_not_null(copy);
    memcpy(copy, text.data, text.size);
    return copy;
}

/* Send one printed value back, as a parameter and as a line for COPY. */
static void send_back(enum fleet_type fleet, int id, struct bytes printed,
                      const char *what)
{
    struct value value;
    struct bytes text;
    char number[16];
    const char *parameters[] = {number, NULL};
    PGresult *result = NULL;

    cr_assert_eq(postgres_value_take(fleet, printed, &scratch, &value, &err), STATUS_OK,
                 "%s: %s", what, err.text);
    cr_assert_eq(postgres_value_text(&value, fleet, &sent, &text, &err), STATUS_OK,
                 "%s: %s", what, err.text);
    cr_expect_eq(text.data == NULL, printed.data == NULL, "%s", what);
    /* A real may be spelled otherwise. */
    cr_expect(fleet == FLEET_REAL || bytes_equal(text, printed),
              "%s: %.*s was sent as %.*s", what, (int)printed.size,
              (const char *)printed.data, (int)text.size, (const char *)text.data);
    (void)snprintf(number, sizeof number, "%d", id);
    postgres_copy_put(&lines, 0, bytes_of_text(number));
    postgres_copy_put(&lines, 1, text);
    postgres_copy_end(&lines);
    if (text.data != NULL)
        parameters[1] = terminated(text);
    OK(postgres_query(postgres, "INSERT INTO public.parameter VALUES ($1, $2)", 2,
                      parameters, &result, &err));
    PQclear(result);
    free((char *)parameters[1]);
}

static void copy_in(void)
{
    PGconn *handle = postgres_handle(postgres);
    PGresult *result = PQexec(handle, "COPY public.copied FROM STDIN");

    cr_assert_eq(PQresultStatus(result), PGRES_COPY_IN);
    PQclear(result);
    cr_assert_eq(PQputCopyData(handle, (const char *)lines.data, (int)lines.size), 1);
    cr_assert_eq(PQputCopyEnd(handle, NULL), 1);
    while ((result = PQgetResult(handle)) != NULL) {
        cr_expect_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s",
                     PQresultErrorMessage(result));
        PQclear(result);
    }
    buffer_clear(&lines);
}

/* What COPY prints is what SELECT printed. */
static void compare_copy(const PGresult *printed, const char *type)
{
    PGconn *handle = postgres_handle(postgres);
    PGresult *result =
        PQexec(handle, "COPY (SELECT id, v FROM public.v ORDER BY id) TO STDOUT");
    struct bytes columns[2];
    char *line = NULL;
    int rows = 0;

    cr_assert_eq(PQresultStatus(result), PGRES_COPY_OUT);
    PQclear(result);
    for (int size; (size = PQgetCopyData(handle, &line, 0)) > 0; rows++) {
        struct bytes wanted = cell(printed, rows, 1);

        OK(postgres_copy_take((struct bytes){(const uint8_t *)line, (size_t)size},
                              columns, 2, &scratch, &err));
        cr_expect(bytes_equal(columns[1], wanted), "%s, value %d", type, rows);
        cr_expect_eq(columns[1].data == NULL, wanted.data == NULL, "%s, value %d", type,
                     rows);
        PQfreemem(line);
    }
    cr_expect_eq(rows, PQntuples(printed), "%s", type);
    while ((result = PQgetResult(handle)) != NULL)
        PQclear(result);
}

/* From the type's first case; the first one of another. */
static size_t check_type(size_t i)
{
    const char *type = cases[i].type;
    enum fleet_type fleet = cases[i].fleet;
    PGresult *printed, *back;

    cr_expect_eq(fleet_type_of(type), fleet, "%s", type);
    PQclear(ask("CREATE TABLE public.v (id serial PRIMARY KEY, v %s);"
                "ALTER TABLE public.parameter ADD v %s;"
                "ALTER TABLE public.copied ADD v %s;",
                type, type, type));
    do
        PQclear(
            ask("INSERT INTO public.v (v) VALUES ((%s)::%s)", cases[i].expression, type));
    while (++i < CASES && cases[i].type == NULL);
    printed = ask("SELECT id, v FROM public.v ORDER BY id");
    cr_expect_gt(PQntuples(printed), 0);
    for (int j = 0; j < PQntuples(printed); j++)
        send_back(fleet, j + 1, cell(printed, j, 1), type);
    copy_in();
    compare_copy(printed, type);
    back = ask("SELECT p.v, c.v, record_image_eq(ROW(v.v), ROW(p.v)),"
               " record_image_eq(ROW(v.v), ROW(c.v)) FROM public.v"
               " JOIN public.parameter p USING (id) JOIN public.copied c USING (id)"
               " ORDER BY id");
    cr_expect_eq(PQntuples(back), PQntuples(printed), "%s", type);
    for (int j = 0; j < PQntuples(back); j++) {
        for (int column = 0; column < 2; column++) {
            cr_expect(bytes_equal(cell(back, j, column), cell(printed, j, 1)),
                      "%s: %s became %s", type, PQgetvalue(printed, j, 1),
                      PQgetvalue(back, j, column));
            cr_expect_str_eq(PQgetvalue(back, j, column + 2), "t", "%s: %s", type,
                             PQgetvalue(printed, j, 1));
        }
    }
    PQclear(back);
    PQclear(printed);
    PQclear(
        ask("DROP TABLE public.v; TRUNCATE public.parameter, public.copied;"
            "ALTER TABLE public.parameter DROP v; ALTER TABLE public.copied DROP v;"));
    return i;
}

Test(postgres_values, of_every_type_come_back_bit_for_bit)
{
    struct cluster cluster;

    cluster_start(&cluster, NULL);
    OK(postgres_open(&postgres, cluster.url, POSTGRES_WRITE, &err));
    OK(postgres_execute(postgres, setup, &err));
    for (size_t i = 0; i < CASES;)
        i = check_type(i);
    postgres_close(postgres);
    buffer_release(&scratch);
    buffer_release(&sent);
    buffer_release(&lines);
    cluster_stop(&cluster);
}
