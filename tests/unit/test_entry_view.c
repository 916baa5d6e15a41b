#include "cli/entry_view.h"

#include "cli/json.h"
#include "cli/print.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* What entry_print_note() says of a user and a note, each NULL for none. */
static char *told(const char *user, const char *note)
{
    struct buffer fields = {0};
    struct entry_header header = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    cr_assert_not_null(out);
    if (note != NULL)
        entry_field_put(&fields, FIELD_NOTE, bytes_of_text(note));
    if (user != NULL)
        entry_field_put(&fields, FIELD_USER, bytes_of_text(user));
    header.fields = buffer_view(&fields);
    entry_print_note(out, &header, 4);
    cr_assert_eq(fclose(out), 0);
    buffer_release(&fields);
    return text;
}

Test(entry_view, tells_who_and_why)
{
    static const struct {
        const char *when, *user, *note, *expected;
    } cases[] = {
        {"neither",            NULL,        NULL,       ""                              },
        {"who",                "ann",       NULL,       "    by ann\n"                  },
        {"why",                NULL,        "a typo",   "    note: a typo\n"            },
        {"both",               "ann",       "a typo",   "    by ann: a typo\n"          },
        {"command a terminal", "a\033[2Jn", "one\ntwo", "    by a\\x1b[2Jn: one\\ntwo\n"},
        {"empty",              "",          "",         "    by :\n"                    },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = told(cases[i].user, cases[i].note);

        cr_expect_str_eq(text, cases[i].expected, "%s", cases[i].when);
        free(text);
    }
}

Test(entry_view, breaks_a_long_note_before_the_80th_column)
{
    char note[400] = "", word[121];
    char *text, *left;
    size_t lines = 0;

    for (int i = 0; i < 30; i++)
        (void)strcat(note, "änderung ");
    text = told("ann", note);
    left = text;
    for (char *line = strtok_r(left, "\n", &left); line != NULL;
         line = strtok_r(NULL, "\n", &left)) {
        cr_expect_leq(text_width(line), 79, "%s", line);
        cr_expect_eq(strncmp(line, "    ", 4), 0, "%s", line);
        cr_expect_neq(line[4], ' ', "%s", line);
        lines++;
    }
    cr_expect_eq(lines, 4);
    free(text);

    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    text = told(NULL, word);
    cr_expect_not_null(strstr(text, word), "a word stays whole, to be copied");
    free(text);
}

Test(entry_view, puts_who_and_why_where_there_is_one)
{
    struct buffer fields = {0};
    struct entry_header header = {0};
    json_t *object = json_make_object();

    entry_put_note(object, &header);
    cr_expect_eq(json_object_size(object), 0);
    entry_field_put(&fields, FIELD_NOTE, bytes_of_text("a typo"));
    entry_field_put(&fields, FIELD_USER, bytes_of_text("ann"));
    header.fields = buffer_view(&fields);
    entry_put_note(object, &header);
    cr_expect_str_eq(json_string_value(json_object_get(object, "note")), "a typo");
    cr_expect_str_eq(json_string_value(json_object_get(object, "user")), "ann");
    json_decref(object);
    buffer_release(&fields);
}
