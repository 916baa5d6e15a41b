#include "log/change.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <string.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})

static struct error err;

static const uint8_t key[] = {0x30, 'k', 0, 0};
static const uint8_t image[] = {6, 1, 2};
static const uint8_t before[] = {1, 1, 4, 3, 0};

static const struct change update = {
    .op = CHANGE_UPDATE,
    .definition = 300,
    .key = {key,           sizeof key },
    .has_born = true,
    .born = {1,             7,           2, 3},
    .has_unseen = true,
    .unseen_origin = 9,
    .unseen_seq = 4,
    .image = {image,            sizeof image                      },
    .before = {before,sizeof before},
};

static const uint8_t update_golden[] = {
    37,                                      /* size */
    0x0e,                                    /* update, born, unseen */
    0xac, 0x02,                              /* definition 300 */
    4,    0x30, 'k', 0, 0,                   /* key */
    1,    0,    0,   0, 0, 0, 0, 0, 7, 2, 3, /* born */
    0,    0,    0,   0, 0, 0, 0, 9, 4,       /* unseen */
    3,    6,    1,   2,                      /* image */
    1,    1,    4,                           /* before: place 1 was 2 */
    3,    0,                                 /* and place 3 NULL */
};

static const uint8_t insert_golden[] = {11, 1, 1, 4, 0x30, 'k', 0, 0, 3, 6, 1, 2};
static const uint8_t delete_golden[] = {12, 3, 1, 4, 0x30, 'k', 0, 0, 0, 0, 6, 1, 0};

static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    struct change change;
    enum status status = change_take(&in, &change, reason);

    if (status == STATUS_OK && in.size > 0)
        status = error_set(reason, STATUS_CORRUPT, "something follows");
    if (status == STATUS_OK)
        change_put(out, &change);
    return status;
}

Test(change, encodes_to_the_golden_bytes)
{
    struct buffer out = {0};

    change_put(&out, &update);
    cr_expect(bytes_equal(buffer_view(&out), VIEW(update_golden)));
    buffer_release(&out);
}

Test(change, refuses_cut_and_wrong_bytes)
{
    recode_expect_canonical(VIEW(update_golden), recode);
    recode_expect_canonical(VIEW(insert_golden), recode);
    recode_expect_canonical(VIEW(delete_golden), recode);
}

Test(change, decodes_what_the_golden_bytes_say)
{
    struct bytes in = VIEW(update_golden);
    struct change change;

    cr_assert_eq(change_take(&in, &change, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(in.size, 0);
    cr_expect_eq(change.op, CHANGE_UPDATE);
    cr_expect_eq(change.definition, 300);
    cr_expect(bytes_equal(change.key, VIEW(key)));
    cr_expect(change.has_born);
    cr_expect_eq(version_compare(&change.born, &update.born), 0);
    cr_expect(change.has_unseen);
    cr_expect_eq(change.unseen_origin, 9);
    cr_expect_eq(change.unseen_seq, 4);
    cr_expect(bytes_equal(change.image, VIEW(image)));
    cr_expect(bytes_equal(change.before, VIEW(before)));
}

Test(change, of_a_delete_has_no_image)
{
    struct bytes in = VIEW(delete_golden);
    struct change change;

    cr_assert_eq(change_take(&in, &change, &err), STATUS_OK, "%s", err.text);
    cr_expect_null(change.image.data);
    cr_expect_eq(change.image.size, 0);
}

Test(change, follow_each_other_in_a_body)
{
    struct buffer body = {0};
    struct change change;
    struct bytes in;

    buffer_put_bytes(&body, VIEW(insert_golden));
    buffer_put_bytes(&body, VIEW(delete_golden));
    in = buffer_view(&body);
    cr_assert_eq(change_take(&in, &change, &err), STATUS_OK);
    cr_expect_eq(change.op, CHANGE_INSERT);
    cr_assert_eq(change_take(&in, &change, &err), STATUS_OK);
    cr_expect_eq(change.op, CHANGE_DELETE);
    cr_expect_eq(in.size, 0);
    cr_expect_eq(change_take(&in, &change, &err), STATUS_CORRUPT);
    buffer_release(&body);
}

Test(change, values_before_are_taken_one_by_one)
{
    struct bytes in = VIEW(before);
    struct value value;
    uint32_t place;

    cr_assert_eq(change_take_before(&in, &place, &value, &err), STATUS_OK);
    cr_expect_eq(place, 1);
    cr_expect_eq(value.integer, 2);
    cr_assert_eq(change_take_before(&in, &place, &value, &err), STATUS_OK);
    cr_expect_eq(place, 3);
    cr_expect_eq(value.type, VALUE_NULL);
    cr_expect_eq(in.size, 0);
    cr_expect_eq(change_take_before(&in, &place, &value, &err), STATUS_CORRUPT);
}

Test(change, refuses_what_no_origin_writes)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[32];
    } cases[] = {
        {"no operation",                 12, {11, 0, 1, 4, 0x30, 'k', 0, 0, 3, 6, 1, 2}            },
        {"an unknown flag",              12, {11, 0x11, 1, 4, 0x30, 'k', 0, 0, 3, 6, 1, 2}         },
        {"definition 0",                 12, {11, 1, 0, 4, 0x30, 'k', 0, 0, 3, 6, 1, 2}            },
        {"a definition of 33 bits",      12, {11, 1, 255, 255, 255, 255, 31, 1, 'k', 2, 6, 6}      },
        {"no key",                       8,  {7, 1, 1, 0, 3, 6, 1, 2}                              },
        {"an insert without an image",   9,  {8, 1, 1, 4, 0x30, 'k', 0, 0, 0}                      },
        {"a delete with an image",       12, {11, 3, 1, 4, 0x30, 'k', 0, 0, 3, 6, 1, 2}            },
        {"an insert with values before",
         14,                                 {13, 1, 1, 4, 0x30, 'k', 0, 0, 3, 6, 1, 2, 1, 0}      },
        {"born of nothing",              17, {16, 5, 1, 1, 'k', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
        {"unseen of nothing",            16, {15, 9, 1, 1, 'k', 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0}   },
        {"unseen up to nothing",         16, {15, 9, 1, 1, 'k', 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0}   },
        {"before does not ascend",       13, {12, 3, 1, 4, 0x30, 'k', 0, 0, 0, 1, 0, 1, 0}         },
        {"before beyond the columns",
         13,                                 {12, 3, 1, 4, 0x30, 'k', 0, 0, 0, 255, 255, 1, 0}     },
        {"a place without a value",      10, {9, 3, 1, 4, 0x30, 'k', 0, 0, 0, 1}                   },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = {cases[i].bytes, cases[i].size};
        struct change change;

        cr_assert_eq(cases[i].bytes[0], cases[i].size - 1, "%s", cases[i].when);
        cr_expect_eq(change_take(&in, &change, &err), STATUS_CORRUPT, "%s",
                     cases[i].when);
        cr_expect_eq(in.size, cases[i].size, "%s", cases[i].when);
    }
}
