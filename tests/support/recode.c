#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* In memory of exactly its size, so that the sanitizer sees a read beyond it. */
static enum status run(struct bytes in, struct buffer *out, recode_cb recode)
{
    uint8_t *exact = malloc(in.size + 1);
    uint8_t *start;
    struct error err = {{0}};
    enum status status;

    cr_assert_not_null(exact);
    start = exact + 1; /* odd addresses too */
    memcpy(start, in.data, in.size);
    buffer_clear(out);
    status = recode((struct bytes){start, in.size}, out, &err);
    free(exact);
    cr_expect_neq(status, STATUS_NO_MEMORY);
    cr_expect(status == STATUS_OK || err.text[0] != '\0', "refused without a reason");
    return status;
}

static void expect_refused_ends(struct bytes golden, struct buffer *out, recode_cb recode)
{
    uint8_t *longer = calloc(1, golden.size + 1);

    cr_assert_not_null(longer);
    memcpy(longer, golden.data, golden.size);
    cr_expect_neq(run((struct bytes){longer, golden.size + 1}, out, recode), STATUS_OK,
                  "a byte after the end");
    for (size_t size = 0; size < golden.size; size++)
        cr_expect_neq(run((struct bytes){golden.data, size}, out, recode), STATUS_OK,
                      "cut to %zu bytes", size);
    free(longer);
}

void recode_expect_canonical(struct bytes golden, recode_cb recode)
{
    struct buffer out;
    uint8_t *wrong = malloc(golden.size);

    cr_assert_not_null(wrong);
    buffer_init(&out);
    cr_expect_eq(run(golden, &out, recode), STATUS_OK);
    cr_expect(bytes_equal(buffer_view(&out), golden), "not the golden bytes");
    expect_refused_ends(golden, &out, recode);
    for (size_t i = 0; i < golden.size; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(wrong, golden.data, golden.size);
            wrong[i] = (uint8_t)byte;
            if (run((struct bytes){wrong, golden.size}, &out, recode) != STATUS_OK)
                continue;
            cr_expect(bytes_equal(buffer_view(&out), (struct bytes){wrong, golden.size}),
                      "byte %zu as 0x%02x has two forms", i, byte);
        }
    }
    free(wrong);
    buffer_release(&out);
}
