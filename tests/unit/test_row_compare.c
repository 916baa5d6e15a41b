#include "engine/row_compare.h"

#include "log/change.h"

#include <criterion/criterion.h>
#include <string.h>

/* An engine that stores every text as its first letter, refuses "no", and gives 'd' for a
 * column that nobody wrote; integers it keeps. */
struct short_engine {
    struct stored stored;
    unsigned asked;
    unsigned closed;
};

static bool keeps(const struct stored *stored, uint32_t place, enum value_type type)
{
    (void)stored, (void)place;
    return type == VALUE_INTEGER;
}

static enum status value(struct stored *stored, uint32_t place, const struct value *given,
                         struct value *out, struct error *err)
{
    ((struct short_engine *)stored)->asked++;
    (void)place;
    if (bytes_equal(given->bytes, bytes_of_text("no")))
        return error_set(err, STATUS_CONSTRAINT, "not taken");
    *out = *given;
    if (out->bytes.size > 1)
        out->bytes.size = 1;
    return STATUS_OK;
}

static enum status default_value(struct stored *stored, uint32_t place, struct value *out,
                                 struct error *err)
{
    (void)stored, (void)place, (void)err;
    *out = (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text("d")};
    return STATUS_OK;
}

static void close_engine(struct stored *stored)
{
    ((struct short_engine *)stored)->closed++;
}

static const struct stored_ops ops = {keeps, value, default_value, close_engine};

static struct short_engine engine = {.stored = {&ops}};
static struct column columns[] = {
    {.name = "i", .declared_type = "", .collation = "", .key_position = 1},
    {.name = "t",           .declared_type = "",                    .collation = ""     },
};
static const struct definition definition = {.name = "t",
                                             .columns = columns,
                                             .column_count = 2,
                                             .stored_count = 2,
                                             .key_count = 1};
static struct row_comparer *comparer;
static struct buffer key, held, image, before;
static struct error err;

static void set_up(void)
{
    cr_assert_eq(row_comparer_open(&comparer, &engine.stored, &definition, &err),
                 STATUS_OK);
}

static void tear_down(void)
{
    row_comparer_close(comparer);
    cr_expect_eq(engine.closed, 1, "the comparer gives its engine back");
    buffer_release(&key);
    buffer_release(&held);
    buffer_release(&image);
    buffer_release(&before);
}

TestSuite(row_compare, .init = set_up, .fini = tear_down);

static struct value text_of(const char *text)
{
    return text == NULL
               ? (struct value){.type = VALUE_ABSENT}
               : (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(text)};
}

/* Compare row (1, now) with what the log says: (1, was); NULL: absent there. */
static bool differs(const char *was, const char *now)
{
    struct value row[] = {
        {.type = VALUE_INTEGER, .integer = 1},
        text_of(was)
    };
    bool changed = false;

    buffer_clear(&key);
    buffer_clear(&held);
    cr_assert_eq(image_key(&key, row, &definition, &err), STATUS_OK);
    image_encode(&held, row, &definition);
    row[1] = text_of(now);
    cr_assert_eq(row_compare_held(comparer, buffer_view(&key), buffer_view(&held),
                                  &definition, row, &changed, &image, &before, &err),
                 STATUS_OK);
    return changed;
}

Test(row_compare, a_column_is_as_it_was_when_it_is_what_the_engine_makes_of_it)
{
    static const struct {
        const char *was, *now;
        bool differs;
        unsigned asked;
    } cases[] = {
        {"word", "w",    false, 1},
        {"word", "word", false, 0}, /* the same needs no engine */
        {"word", "v",    true,  1},
        {"no",   "n",    true,  1}, /* it can't have come from what is refused */
        {NULL,   "d",    false, 0}, /* the default */
        {NULL,   "e",    true,  0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        engine.asked = 0;
        cr_expect_eq(differs(cases[i].was, cases[i].now), cases[i].differs, "case %zu",
                     i);
        cr_expect_eq(engine.asked, cases[i].asked, "case %zu asked %u times", i,
                     engine.asked);
    }
}

Test(row_compare, what_a_row_does_not_tell_is_filled_with_what_is_held)
{
    struct value row[] = {
        {.type = VALUE_INTEGER, .integer = 1},
        {.type = VALUE_ABSENT                    },
    };

    (void)differs("word", "w");
    cr_assert_eq(row_compare_fill(comparer, buffer_view(&key), buffer_view(&held),
                                  &definition, row, &err),
                 STATUS_OK);
    cr_expect(bytes_equal(row[1].bytes, bytes_of_text("word")));
}
