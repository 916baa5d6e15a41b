#include "engine/postgres_value.h"
#include "tests/support/failing_memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct buffer scratch;
static struct error err;

static void tear_down(void)
{
    buffer_release(&scratch);
}

TestSuite(postgres_value, .fini = tear_down);

static struct bytes view(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct value integer(int64_t number)
{
    return (struct value){.type = VALUE_INTEGER, .integer = number};
}

static struct value real(double number)
{
    return (struct value){.type = VALUE_REAL, .real = number};
}

static struct value text(const char *data)
{
    return (struct value){.type = VALUE_TEXT, .bytes = view(data)};
}

static struct value blob(const char *data)
{
    return (struct value){.type = VALUE_BLOB, .bytes = view(data)};
}

static struct value typed(const char *data)
{
    return (struct value){.type = VALUE_TYPED, .typed = FLEET_UUID, .bytes = view(data)};
}

static const struct value nothing = {.type = VALUE_NULL};

static enum status take(enum fleet_type type, const char *printed, struct value *out)
{
    size_t size = strlen(printed);
    uint8_t *exact = malloc(size + 1); /* so that the sanitizer sees a read beyond it */
    enum status status;

    cr_assert_not_null(exact);
    memcpy(exact + 1, printed, size);
    status =
        postgres_value_take(type, (struct bytes){exact + 1, size}, &scratch, out, &err);
    if (status == STATUS_OK && out->type != VALUE_BLOB && out->bytes.data != NULL)
        out->bytes = view(printed);
    free(exact);
    return status;
}

static void expect_text(const struct value *value, enum fleet_type type,
                        const char *wanted)
{
    struct bytes out;

    cr_assert_eq(postgres_value_text(value, type, &scratch, &out, &err), STATUS_OK,
                 "%s: %s", wanted, err.text);
    cr_expect_not_null(out.data);
    cr_expect(bytes_equal(out, view(wanted)), "%.*s, not %s", (int)out.size,
              (const char *)out.data, wanted);
}

/* ---- what Postgres prints */

Test(postgres_value, text_becomes_the_value_and_that_text_again)
{
    const struct {
        enum fleet_type type;
        const char *printed;
        struct value value;
    } cases[] = {
        {FLEET_INTEGER, "0",                        integer(0)                  },
        {FLEET_INTEGER, "-1",                       integer(-1)                 },
        {FLEET_INTEGER, "9223372036854775807",      integer(INT64_MAX)          },
        {FLEET_INTEGER, "-9223372036854775808",     integer(INT64_MIN)          },
        {FLEET_INTEGER, "4294967295",               integer(UINT32_MAX)         },
        {FLEET_BOOLEAN, "t",                        integer(1)                  },
        {FLEET_BOOLEAN, "f",                        integer(0)                  },
        {FLEET_REAL,    "0",                        real(0)                     },
        {FLEET_REAL,    "-0",                       real(-0.0)                  },
        {FLEET_REAL,    "1.5",                      real(1.5)                   },
        {FLEET_REAL,    "0.1",                      real(0.1)                   },
        {FLEET_REAL,    "0.30000000000000004",      real(0.1 + 0.2)             },
        {FLEET_REAL,    "1.7976931348623157e+308",  real(1.7976931348623157e308)},
        {FLEET_REAL,    "-2.2250738585072014e-308", real(-0x1p-1022)            },
        {FLEET_REAL,    "5e-324",                   real(5e-324)                },
        {FLEET_REAL,    "1e-45",                    real(1e-45)                 },
        {FLEET_REAL,    "1e+20",                    real(1e20)                  },
        {FLEET_REAL,    "Infinity",                 real(INFINITY)              },
        {FLEET_REAL,    "-Infinity",                real(-INFINITY)             },
        {FLEET_REAL,    "NaN",                      real((double)NAN)           },
        {FLEET_TEXT,    "",                         text("")                    },
        {FLEET_TEXT,    "größe \\ '\n\t",         text("größe \\ '\n\t")    },
        {FLEET_TEXT,    "a   ",                     text("a   ")                },
        {FLEET_BLOB,    "\\x",                      blob("")                    },
        {FLEET_BLOB,    "\\x61ff0a",                blob("a\xff\n")             },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value value;
        struct buffer of_value = {0};
        struct bytes out;

        cr_assert_eq(take(cases[i].type, cases[i].printed, &value), STATUS_OK, "%s: %s",
                     cases[i].printed, err.text);
        cr_expect(value_equal(&value, &cases[i].value), "%s", cases[i].printed);
        cr_assert_eq(postgres_value_text(&value, cases[i].type, &of_value, &out, &err),
                     STATUS_OK, "%s: %s", cases[i].printed, err.text);
        cr_expect(bytes_equal(out, view(cases[i].printed)), "%.*s, not %s", (int)out.size,
                  (const char *)out.data, cases[i].printed);
        buffer_release(&of_value);
    }
}

Test(postgres_value, a_zero_byte_in_bytea_is_kept)
{
    struct value value;

    cr_assert_eq(take(FLEET_BLOB, "\\x00ff00", &value), STATUS_OK);
    cr_expect(bytes_equal(value.bytes, (struct bytes){(const uint8_t *)"\0\xff\0", 3}));
}

Test(postgres_value, typed_text_stays_as_it_is)
{
    static const struct {
        enum fleet_type type;
        const char *printed;
    } cases[] = {
        {FLEET_NUMERIC,     "0"                                      },
        {FLEET_NUMERIC,     "-0.00"                                  },
        {FLEET_NUMERIC,     "1.50"                                   },
        {FLEET_NUMERIC,     "NaN"                                    },
        {FLEET_NUMERIC,     "Infinity"                               },
        {FLEET_NUMERIC,     "-Infinity"                              },
        {FLEET_DATE,        "0044-03-15 BC"                          },
        {FLEET_DATE,        "infinity"                               },
        {FLEET_TIME,        "24:00:00"                               },
        {FLEET_TIME,        "12:00:00.000001-15:59:59"               },
        {FLEET_TIMESTAMP,   "294276-12-31 23:59:59.999999"           },
        {FLEET_TIMESTAMPTZ, "-infinity"                              },
        {FLEET_INTERVAL,    "-1 years -2 mons +3 days -04:05:06.7"   },
        {FLEET_UUID,        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"   },
        {FLEET_JSON,        " {\"a\" : 1, \"a\": null}"              },
        {FLEET_JSONB,       "null"                                   },
        {FLEET_ARRAY,       "{}"                                     },
        {FLEET_ARRAY,       "[0:1][2:3]={{1,NULL},{\"a\\\\b\",\"\"}}"},
        {FLEET_OTHER,       ""                                       },
        {FLEET_OTHER,       "(1,\"a b\",)"                           },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value value;

        cr_assert_eq(take(cases[i].type, cases[i].printed, &value), STATUS_OK, "%s: %s",
                     cases[i].printed, err.text);
        cr_expect_eq(value.type, VALUE_TYPED);
        cr_expect_eq(value.typed, cases[i].type);
        expect_text(&value, cases[i].type, cases[i].printed);
    }
}

Test(postgres_value, numeric_may_have_a_thousand_digits)
{
    char digits[2002];
    struct value value;

    memset(digits, '7', sizeof digits);
    digits[0] = '-';
    digits[1001] = '.';
    digits[sizeof digits - 1] = '\0';
    cr_assert_eq(take(FLEET_NUMERIC, digits, &value), STATUS_OK, "%s", err.text);
    expect_text(&value, FLEET_NUMERIC, digits);
}

Test(postgres_value, refuses_what_the_type_does_not_print)
{
    static const struct {
        enum fleet_type type;
        const char *printed;
    } cases[] = {
        {FLEET_INTEGER, ""                                     },
        {FLEET_INTEGER, "-"                                    },
        {FLEET_INTEGER, "-0"                                   },
        {FLEET_INTEGER, "01"                                   },
        {FLEET_INTEGER, "+1"                                   },
        {FLEET_INTEGER, " 1"                                   },
        {FLEET_INTEGER, "1.0"                                  },
        {FLEET_INTEGER, "9223372036854775808"                  },
        {FLEET_INTEGER, "-9223372036854775809"                 },
        {FLEET_INTEGER, "99999999999999999999999"              },
        {FLEET_BOOLEAN, ""                                     },
        {FLEET_BOOLEAN, "true"                                 },
        {FLEET_BOOLEAN, "1"                                    },
        {FLEET_REAL,    ""                                     },
        {FLEET_REAL,    "nan"                                  },
        {FLEET_REAL,    "-NaN"                                 },
        {FLEET_REAL,    "inf"                                  },
        {FLEET_REAL,    "0x1p3"                                },
        {FLEET_REAL,    "1."                                   },
        {FLEET_REAL,    ".5"                                   },
        {FLEET_REAL,    "1e"                                   },
        {FLEET_REAL,    "1e5"                                  },
        {FLEET_REAL,    "1e+400"                               },
        {FLEET_REAL,    "1,5"                                  },
        {FLEET_REAL,    "0.1000000000000000000000000000000"    },
        {FLEET_BLOB,    ""                                     },
        {FLEET_BLOB,    "\\"                                   },
        {FLEET_BLOB,    "\\x0"                                 },
        {FLEET_BLOB,    "\\x0g"                                },
        {FLEET_BLOB,    "\\xg0"                                },
        {FLEET_BLOB,    "\\xFF"                                },
        {FLEET_BLOB,    "\\\\000"                              },
        {FLEET_NUMERIC, ""                                     },
        {FLEET_NUMERIC, "1e5"                                  },
        {FLEET_NUMERIC, "1."                                   },
        {FLEET_NUMERIC, "$1"                                   },
        {FLEET_UUID,    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"  },
        {FLEET_UUID,    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111"},
        {FLEET_UUID,    "A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11" },
        {FLEET_UUID,    "a0eebc9909c0b-4ef8-bb6d-6bb9bd380a11" },
        {FLEET_ARRAY,   "{"                                    },
        {FLEET_ARRAY,   "1 2"                                  },
        {FLEET_DATE,    ""                                     },
        {FLEET_JSON,    ""                                     },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value value = nothing;

        cr_expect_eq(take(cases[i].type, cases[i].printed, &value), STATUS_CORRUPT, "%s",
                     cases[i].printed);
        cr_expect_eq(value.type, VALUE_NULL, "%s", cases[i].printed);
    }
    cr_expect_eq(take(FLEET_INTEGER, "1.0", &(struct value){0}), STATUS_CORRUPT);
    cr_expect_str_eq(err.text, "Postgres prints no integer as '1.0'");
}

Test(postgres_value, refuses_zero_bytes_in_text)
{
    static const enum fleet_type types[] = {FLEET_TEXT, FLEET_OTHER, FLEET_JSON,
                                            FLEET_BLOB, FLEET_REAL,  FLEET_INTEGER};
    struct value value;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct bytes printed = {(const uint8_t *)"1\0", 2};

        cr_expect_eq(postgres_value_take(types[i], printed, &scratch, &value, &err),
                     STATUS_CORRUPT);
    }
}

Test(postgres_value, null_is_null_in_every_type)
{
    static const struct value absent = {.type = VALUE_ABSENT};

    for (unsigned type = FLEET_ANY + 1; type < FLEET_TYPES; type++) {
        struct bytes out = view("x");
        struct value value = integer(1);

        cr_assert_eq(postgres_value_take(type, (struct bytes){0}, &scratch, &value, &err),
                     STATUS_OK);
        cr_expect_eq(value.type, VALUE_NULL);
        cr_assert_eq(postgres_value_text(&nothing, type, &scratch, &out, &err),
                     STATUS_OK);
        cr_expect_null(out.data);
        out = view("x");
        cr_assert_eq(postgres_value_text(&absent, type, &scratch, &out, &err), STATUS_OK);
        cr_expect_null(out.data);
    }
}

/* ---- what other nodes have */

Test(postgres_value, values_of_other_engines_are_sent_as_what_they_mean)
{
    const struct {
        struct value value;
        enum fleet_type type;
        const char *sent;
    } cases[] = {
        {integer(1),                FLEET_BOOLEAN, "t"                   },
        {integer(0),                FLEET_BOOLEAN, "f"                   },
        {integer(5),                FLEET_REAL,    "5"                   },
        {integer(-5),               FLEET_NUMERIC, "-5"                  },
        {integer(5),                FLEET_TEXT,    "5"                   },
        {integer(5),                FLEET_JSON,    "5"                   },
        {real(5),                   FLEET_INTEGER, "5"                   },
        {real(-0.0),                FLEET_INTEGER, "0"                   },
        {real(1e18),                FLEET_INTEGER, "1000000000000000000" },
        {real(-0x1p63),             FLEET_INTEGER, "-9223372036854775808"},
        {real(1),                   FLEET_BOOLEAN, "t"                   },
        {real(0.1),                 FLEET_NUMERIC, "0.1"                 },
        {real(1e300),               FLEET_NUMERIC, "1e+300"              },
        {real(INFINITY),            FLEET_NUMERIC, "Infinity"            },
        {real(-0x1.8p-1073),        FLEET_TEXT,    "-1.5e-323"           },
        {real(123456789012345.678), FLEET_TEXT,    "123456789012345.67"  },
        {text("yes"),               FLEET_BOOLEAN, "yes"                 },
        {text("A0EEBC99"),          FLEET_UUID,    "A0EEBC99"            },
        {text("1.50"),              FLEET_NUMERIC, "1.50"                },
        {text("x"),                 FLEET_INTEGER, "x"                   },
        {typed("a0"),               FLEET_TEXT,    "a0"                  },
        {typed(""),                 FLEET_OTHER,   ""                    },
        {{.type = VALUE_TEXT},      FLEET_TEXT,    ""                    },
        {{.type = VALUE_BLOB},      FLEET_BLOB,    "\\x"                 },
        {blob("\x01\xab"),          FLEET_BLOB,    "\\x01ab"             },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_text(&cases[i].value, cases[i].type, cases[i].sent);
}

Test(postgres_value, what_no_column_of_that_type_can_hold_is_refused)
{
    const struct {
        struct value value;
        enum fleet_type type;
        const char *why;
    } cases[] = {
        {integer(2),        FLEET_BOOLEAN, "2 is no value for a boolean column"         },
        {real(0.5),         FLEET_BOOLEAN, "0.5 is no value for a boolean column"       },
        {real(1.5),         FLEET_INTEGER, "1.5 is no value for an integer column"      },
        {real(0x1p63),      FLEET_INTEGER, "9.223372036854776e+18 is no value"          },
        {real((double)NAN), FLEET_INTEGER, "NaN is no value for an integer column"      },
        {integer(5),        FLEET_BLOB,    "a number is no value for a bytea column"    },
        {real(5),           FLEET_BLOB,    "a number is no value for a bytea column"    },
        {text("x"),         FLEET_BLOB,    "text is no value for a bytea column"        },
        {typed("\\x00"),    FLEET_BLOB,    "text is no value for a bytea column"        },
        {blob("x"),         FLEET_TEXT,    "a blob is no value for a text column"       },
        {blob("x"),         FLEET_OTHER,   "a blob is no value for an other type column"},
        {text("\xff"),      FLEET_TEXT,    "text that is not UTF-8"                     },
        {typed("\xc0"),     FLEET_OTHER,   "text that is not UTF-8"                     },
    };
    struct value zero = text("");
    struct bytes out = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(
            postgres_value_text(&cases[i].value, cases[i].type, &scratch, &out, &err),
            STATUS_CONSTRAINT, "%s", cases[i].why);
        cr_expect(strncmp(err.text, cases[i].why, strlen(cases[i].why)) == 0, "%s",
                  err.text);
        cr_expect_null(out.data);
    }
    zero.bytes = (struct bytes){(const uint8_t *)"a\0b", 3};
    cr_expect_eq(postgres_value_text(&zero, FLEET_TEXT, &scratch, &out, &err),
                 STATUS_CONSTRAINT);
    cr_expect_not_null(strstr(err.text, "zero byte"));
}

/* Bits at random are every kind of double. */
Test(postgres_value, every_double_comes_back_bit_for_bit)
{
    unsigned seed = (unsigned)time(NULL);

    srand48(seed);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t bits = (uint64_t)mrand48() << 32 ^ (uint64_t)mrand48();
        struct value value = real(0);
        struct value back;
        struct bytes sent;

        memcpy(&value.real, &bits, sizeof bits);
        if (i % 4 == 0)
            value.real = (double)(float)value.real;
        if (isnan(value.real))
            continue;
        cr_assert_eq(postgres_value_text(&value, FLEET_REAL, &scratch, &sent, &err),
                     STATUS_OK);
        cr_assert_eq(postgres_value_take(FLEET_REAL, sent, &scratch, &back, &err),
                     STATUS_OK, "seed %u: %s", seed, err.text);
        cr_assert(value_equal(&value, &back), "seed %u: %.17g", seed, value.real);
    }
}

Test(postgres_value, no_memory_is_told)
{
    const struct value bytes = blob("x");
    const struct value number = integer(5);
    struct value value;
    struct bytes out;

    failing_memory_start(0);
    cr_expect_eq(take(FLEET_INTEGER, "1", &value), STATUS_OK, "needs none");
    cr_expect_eq(postgres_value_take(FLEET_BLOB, view("\\x00"), &scratch, &value, &err),
                 STATUS_NO_MEMORY);
    cr_expect_eq(postgres_value_text(&bytes, FLEET_BLOB, &scratch, &out, &err),
                 STATUS_NO_MEMORY);
    cr_expect_eq(postgres_value_text(&number, FLEET_TEXT, &scratch, &out, &err),
                 STATUS_NO_MEMORY);
    failing_memory_stop();
}
