#include "log/definition.h"
#include "tests/support/failing_memory.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <string.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})

static struct error err;

/* CREATE TABLE t (id INT PRIMARY KEY, n TEXT DEFAULT '', g AS (…) STORED) STRICT, with a
 * partial unique index on n and an expression, and a foreign key from n to p (id). */
static const uint8_t golden[] = {
    1,                                               /* format */
    3,                                               /* number */
    1, 't',                                          /* name */
    2, 'T', 't',                                     /* local name */
    1,                                               /* SQLite */
    2,                                               /* STRICT */
    3, 'd', ';', '\n',                               /* DDL */
    3,                                               /* columns */
    2, 'i', 'd', 3,    'I',  'N',  'T', 0,           /* id INT, no collation */
    1, 4,   1,                                       /* integer, NOT NULL, key place 1 */
    1, 'n', 4,   'T',  'E',  'X',  'T', 2, 'N', 'C', /* n TEXT, collation NC */
    3, 8,   0,   2,    '\'', '\'',                   /* text, has a default: '' */
    1, 'g', 0,   0,                                  /* g, no type */
    0, 2,   0,                                       /* any, generated stored */
    1,                                               /* unique constraints */
    1, 'u', 2,   1,    'w',                          /* u, WHERE w */
    2,                                               /* terms */
    0, 1,   'n', 2,    'N',  'C',                    /* n */
    1, 3,   'n', '|',  'n',  0,                      /* n|n, an expression */
    1,                                               /* foreign keys */
    0, 1,   1,   'p',  1,    1,    'n', 2, 'i', 'd', /* (n) to p (id), which counts */
};

/* The smallest: t (a), a the key. */
static const uint8_t smallest[] = {1, 1,   1, 't', 1, 't', 2, 0, 0, 1,
                                   1, 'a', 0, 0,   0, 0,   1, 0, 0};

/* Postgres's t (a), a the key, and u: UNIQUE NULLS NOT DISTINCT (a) DEFERRABLE. */
static const uint8_t deferrable[] = {1, 1, 1, 't', 1, 't', 2,  0, 0, 1, 1,   'a', 0, 0,
                                     0, 0, 1, 1,   1, 'u', 12, 1, 0, 1, 'a', 0,   0};

static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    struct definition *definition;
    enum status status = definition_decode(in, &definition, reason);

    if (status == STATUS_OK)
        definition_encode(out, definition);
    else
        cr_expect_null(definition);
    definition_close(definition);
    return status;
}

static struct definition *decode(struct bytes in)
{
    struct definition *definition;

    cr_assert_eq(definition_decode(in, &definition, &err), STATUS_OK, "%s", err.text);
    return definition;
}

Test(definition, encodes_to_the_golden_bytes)
{
    recode_expect_canonical(VIEW(golden), recode);
    recode_expect_canonical(VIEW(smallest), recode);
    recode_expect_canonical(VIEW(deferrable), recode);
}

Test(definition, decodes_what_the_golden_bytes_say)
{
    struct definition *definition = decode(VIEW(golden));

    cr_expect_eq(definition->number, 3);
    cr_expect_str_eq(definition->name, "t");
    cr_expect_str_eq(definition->local_name, "Tt");
    cr_expect_eq(definition->dialect, DIALECT_SQLITE);
    cr_expect_str_eq(definition->ddl, "d;\n");
    cr_expect(definition->strict);
    cr_expect_not(definition->without_rowid);
    cr_expect_eq(definition->stored_count, 2);
    cr_expect_eq(definition->key_count, 1);
    cr_assert_eq(definition->column_count, 3);
    cr_expect_str_eq(definition->columns[0].declared_type, "INT");
    cr_expect_eq(definition->columns[0].key_position, 1);
    cr_expect(definition->columns[0].not_null);
    cr_expect_null(definition->columns[0].default_sql);
    cr_expect_str_eq(definition->columns[1].default_sql, "''");
    cr_expect_str_eq(definition->columns[1].collation, "NC");
    cr_expect_eq(definition->columns[2].generated, GENERATED_STORED);
    cr_assert_eq(definition->unique_count, 1);
    cr_expect_str_eq(definition->uniques[0].where_sql, "w");
    cr_expect_str_eq(definition->uniques[0].terms[1], "n|n");
    cr_expect(definition->uniques[0].is_expression[1]);
    cr_expect_not(definition->uniques[0].is_primary);
    cr_assert_eq(definition->foreign_key_count, 1);
    cr_expect_str_eq(definition->foreign_keys[0].parent, "p");
    cr_expect_str_eq(definition->foreign_keys[0].columns[0], "n");
    cr_expect_str_eq(definition->foreign_keys[0].parent_columns[0], "id");
    cr_expect(definition->foreign_keys[0].counts);
    definition_close(definition);
    definition_close(NULL);
}

Test(definition, says_how_a_constraint_takes_nulls_and_when_it_is_checked)
{
    struct definition *definition = decode(VIEW(deferrable));
    struct definition *other = decode(VIEW(golden));

    cr_assert_eq(definition->unique_count, 1);
    cr_expect(definition->uniques[0].nulls_equal);
    cr_expect(definition->uniques[0].deferrable);
    cr_expect_not(other->uniques[0].nulls_equal);
    cr_expect_not(other->uniques[0].deferrable);
    definition_close(definition);
    definition_close(other);
}

Test(definition, refuses_impossible_tables)
{
    static const struct {
        const char *when;
        size_t offset;
        uint8_t byte;
        const char *says;
    } cases[] = {
        {"format 2",                         0,  2,           "format"                 },
        {"number 0",                         1,  0,           "number"                 },
        {"a NUL in a name",                  3,  0,           "NUL"                    },
        {"dialect 0",                        7,  0,           "dialect"                },
        {"dialect 3",                        7,  3,           "dialect"                },
        {"an unknown table flag",            8,  4,           "flags"                  },
        {"no columns",                       13, 0,           "count"                  },
        {"more columns than bytes",          13, 0x7f,        "count"                  },
        {"an unknown fleet type",            22, FLEET_TYPES, "fleet type"             },
        {"an unknown column flag",           23, 0x10,        "flags"                  },
        {"generated in a third way",         23, 3,           "unknown way"            },
        {"a generated column in the key",    23, 1,           "key is generated"       },
        {"no key",                           24, 0,           "no key"                 },
        {"a key that begins at 2",           24, 2,           "1, 2, 3"                },
        {"a key place twice",                37, 1,           "1, 2, 3"                },
        {"two columns of one name",          42, 'n',         "one name"               },
        {"an unknown flag of a constraint",  51, 0x12,        "flags"                  },
        {"no terms",                         54, 0,           "count"                  },
        {"a term that is no column",         57, 'x',         "unique constraint names"},
        {"an unknown flag of a foreign key", 69, 2,           "flags"                  },
        {"no columns in a foreign key",      72, 0,           "count"                  },
        {"a child column that is no column", 74, 'x',         "foreign key names"      },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t wrong[sizeof golden];
        struct definition *definition;

        memcpy(wrong, golden, sizeof golden);
        wrong[cases[i].offset] = cases[i].byte;
        cr_expect_eq(definition_decode(VIEW(wrong), &definition, &err), STATUS_CORRUPT,
                     "%s", cases[i].when);
        cr_expect_null(definition);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s: %s", cases[i].when,
                           err.text);
    }
}

Test(definition, finds_columns_by_exact_name)
{
    struct definition *definition = decode(VIEW(golden));

    cr_expect_eq(definition_find_column(definition, "n"), 1);
    cr_expect_eq(definition_find_column(definition, "N"), -1);
    cr_expect_eq(definition_find_column(definition, ""), -1);
    definition_close(definition);
}

/* Columns by their names, one letter each. */
static struct definition of_letters(struct column columns[8], char names[8][2],
                                    const char *letters)
{
    struct definition definition = {.columns = columns};

    for (; *letters != '\0'; letters++) {
        char *name = names[definition.column_count];

        name[0] = *letters;
        name[1] = '\0';
        columns[definition.column_count++] = (struct column){.name = name};
    }
    definition.stored_count = definition.column_count;
    return definition;
}

Test(definition, columns_meet_exactly_and_else_but_for_case_when_that_is_clear)
{
    static const struct {
        const char *from, *to, *pairs; /* for each of from: its letter in to, or . */
    } cases[] = {
        {"ab",   "ba",   "ab" },
        {"aB",   "bA",   "Ab" },
        {"ab",   "Ac",   "A." },
        {"a",    "aA",   "a"  },
        {"A",    "aA",   "A"  },
        {"aA",   "a",    "a." },
        {"aA",   "A",    ".A" },
        {"aA",   "aA",   "aA" },
        {"xyX",  "xYz",  "xY."},
        {"\304", "\344", "."  }, /* ASCII only */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct column left[8], right[8];
        char left_names[8][2], right_names[8][2];
        struct definition from = of_letters(left, left_names, cases[i].from);
        struct definition to = of_letters(right, right_names, cases[i].to);

        for (uint32_t at = 0; at < from.column_count; at++) {
            int32_t found = definition_map_column(&from, at, &to);

            cr_expect_eq(found < 0 ? '.' : to.columns[found].name[0], cases[i].pairs[at],
                         "%s to %s, column %u", cases[i].from, cases[i].to, at);
            if (found >= 0)
                cr_expect_eq(definition_map_column(&to, (uint32_t)found, &from),
                             (int32_t)at, "%s to %s, back", cases[i].from, cases[i].to);
        }
    }
}

Test(definition, image_has_no_place_for_generated_columns)
{
    struct column columns[] = {
        {.name = "a",                     .key_position = 1},
        {.name = "b",                               .generated = GENERATED_VIRTUAL},
        {.name = "c"}
    };
    struct definition definition = {
        .columns = columns, .column_count = 3, .stored_count = 2, .key_count = 1};

    cr_expect_eq(definition_image_place(&definition, 0), 0);
    cr_expect_eq(definition_image_place(&definition, 1), -1);
    cr_expect_eq(definition_image_place(&definition, 2), 1);
}

Test(definition, same_image_looks_at_stored_names_and_the_key)
{
    struct column base[] = {
        {.name = "a", .key_position = 1},
        {.name = "b"          }
    };
    struct column generated[] = {
        {.name = "g", .generated = GENERATED_STORED},
        {.name = "a", .key_position = 1            },
        {.name = "b", .not_null = true             }
    };
    struct column renamed[] = {
        {.name = "a", .key_position = 1},
        {.name = "B"          }
    };
    struct column other_key[] = {
        {.name = "a"       },
        { .name = "b", .key_position = 1}
    };
    struct definition a = {.columns = base, .column_count = 2, .stored_count = 2};
    struct definition b = a;

    cr_expect(definition_same_image(&a, &a));
    b.columns = generated;
    b.column_count = 3;
    cr_expect(definition_same_image(&a, &b));
    b.columns = renamed;
    b.column_count = 2;
    cr_expect_not(definition_same_image(&a, &b));
    b.columns = other_key;
    cr_expect_not(definition_same_image(&a, &b));
    b.columns = base;
    b.column_count = b.stored_count = 1;
    cr_expect_not(definition_same_image(&a, &b));
}

/* The key's text is this type there, and an image leaves it to the key. */
Test(definition, same_image_means_the_same_key_types)
{
    struct column number[] = {
        {.name = "a", .type = FLEET_NUMERIC, .key_position = 1},
        {.name = "b",           .type = FLEET_UUID                     }
    };
    struct column id[] = {
        {.name = "a", .type = FLEET_UUID, .key_position = 1},
        {.name = "b",           .type = FLEET_DATE                  }
    };
    struct column name[] = {
        {.name = "a", .type = FLEET_TEXT, .key_position = 1},
        {.name = "b",           .type = FLEET_UUID                  }
    };
    struct definition a = {.dialect = DIALECT_POSTGRES,
                           .columns = number,
                           .column_count = 2,
                           .stored_count = 2};
    struct definition b = a;

    cr_expect(definition_same_image(&a, &b));
    b.columns = id;
    cr_expect_not(definition_same_image(&a, &b));
    a.dialect = DIALECT_SQLITE;
    cr_expect_not(definition_same_image(&a, &b));
    b.columns = name;
    cr_expect(definition_same_image(&a, &b), "plain text in both");
    b.dialect = DIALECT_SQLITE;
    b.columns = id;
    cr_expect(definition_same_image(&a, &b), "a column outside of the key may differ");
}

/* Every byte that may be another, but for those of the number, makes another definition.
 */
Test(definition, equal_means_in_everything_but_number)
{
    struct definition *a = decode(VIEW(golden));
    unsigned others = 0;

    for (size_t i = 0; i < sizeof golden; i++) {
        uint8_t changed[sizeof golden];
        struct definition *b;

        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(changed, golden, sizeof golden);
            changed[i] = (uint8_t)(changed[i] ^ 1U << bit);
            if (definition_decode(VIEW(changed), &b, &err) != STATUS_OK)
                continue;
            cr_expect_eq(definition_equal(a, b), i == 1, "byte %zu, bit %u", i, bit);
            definition_close(b);
            others++;
        }
    }
    cr_expect_gt(others, 100);
    cr_expect(definition_equal(a, a));
    definition_close(a);
}

Test(definition, no_memory_gives_nothing)
{
    uint8_t wide[4000];
    size_t size = sizeof smallest - 2;
    struct definition *definition;
    unsigned calls;

    /* Enough columns named by two letters that several chunks are taken. */
    memcpy(wide, smallest, size);
    wide[9] = 100;
    for (unsigned i = 1; i < 100; i++) {
        uint8_t column[] = {
            2, (uint8_t)('a' + i / 10), (uint8_t)('a' + i % 10), 0, 0, 0, 0, 0};

        memcpy(wide + size, column, sizeof column);
        size += sizeof column;
    }
    wide[size++] = 0;
    wide[size++] = 0;
    failing_memory_start(1000);
    cr_assert_eq(definition_decode((struct bytes){wide, size}, &definition, &err),
                 STATUS_OK, "%s", err.text);
    calls = failing_memory_stop();
    definition_close(definition);
    cr_assert_gt(calls, 2);
    for (unsigned i = 0; i < calls; i++) {
        failing_memory_start(i);
        cr_expect_eq(definition_decode((struct bytes){wide, size}, &definition, &err),
                     STATUS_NO_MEMORY);
        failing_memory_stop();
        cr_expect_null(definition);
    }
}
