#include "engine/postgres_copy.h"
#include "tests/support/failing_memory.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <string.h>

enum { COLUMNS = 3 };

static struct error err;

static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    struct bytes columns[COLUMNS];
    struct buffer scratch = {0};
    enum status status = postgres_copy_take(in, columns, COLUMNS, &scratch, reason);

    for (uint32_t i = 0; i < COLUMNS && status == STATUS_OK; i++)
        postgres_copy_put(out, i, columns[i]);
    if (status == STATUS_OK)
        postgres_copy_end(out);
    buffer_release(&scratch);
    return status;
}

Test(postgres_copy, a_line_is_taken_and_put_again)
{
    static const struct {
        const char *line;
        const char *columns[COLUMNS];
    } cases[] = {
        {"\t\t\n",                       {"", "", ""}                    },
        {"\\N\t\\N\t\\N\n",              {NULL, NULL, NULL}              },
        {"a\tb\tc\n",                    {"a", "b", "c"}                 },
        {"\\\\N\tN\t\\\\\n",             {"\\N", "N", "\\"}              },
        {"\\b\\f\\n\t\\r\\t\\v\t1\n",    {"\b\f\n", "\r\t\v", "1"}       },
        {"a\\tb\t\\nx\\n\t\\\\.\n",      {"a\tb", "\nx\n", "\\."}        },
        {"\x01\x7f\tgröße\t\\\\x00\n", {"\x01\x7f", "größe", "\\x00"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes line = bytes_of_text(cases[i].line);
        struct bytes columns[COLUMNS];
        struct buffer scratch = {0};

        cr_assert_eq(postgres_copy_take(line, columns, COLUMNS, &scratch, &err),
                     STATUS_OK, "%s: %s", cases[i].line, err.text);
        for (size_t j = 0; j < COLUMNS; j++) {
            const char *wanted = cases[i].columns[j];

            cr_expect_eq(columns[j].data == NULL, wanted == NULL, "%s", cases[i].line);
            cr_expect(
                bytes_equal(columns[j], bytes_of_text(wanted == NULL ? "" : wanted)),
                "%s: column %zu", cases[i].line, j);
        }
        buffer_release(&scratch);
        recode_expect_canonical(line, recode);
    }
}

Test(postgres_copy, refuses_what_copy_does_not_write)
{
    static const char *const lines[] = {
        "",
        "\n",
        "a\tb\n",
        "a\tb\tc\td\n",
        "a\tb\tc",
        "a\tb\\\tc\n",
        "a\tb\tc\\\n",
        "\\x\tb\tc\n",
        "a\\N\tb\tc\n",
        "\\Na\tb\tc\n",
        "a\rb\tb\tc\n",
        "a\nb\tb\tc\n",
        "a\tb\tc\\.\n",
        "\\.\n",
        "a\tb\t\v\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct bytes columns[COLUMNS];
        struct buffer scratch = {0};

        cr_expect_eq(
            postgres_copy_take(bytes_of_text(lines[i]), columns, COLUMNS, &scratch, &err),
            STATUS_CORRUPT, "%s", lines[i]);
        buffer_release(&scratch);
    }
}

Test(postgres_copy, no_memory_is_told)
{
    struct bytes columns[1];
    struct buffer scratch = {0};

    failing_memory_start(0);
    cr_expect_eq(postgres_copy_take(bytes_of_text("a\n"), columns, 1, &scratch, &err),
                 STATUS_NO_MEMORY);
    failing_memory_stop();
    buffer_release(&scratch);
}
