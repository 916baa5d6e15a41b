/* Changesets that are cut, or none: read to the first fault. */
#include "capture/changeset.h"

#include <criterion/criterion.h>
#include <string.h>

static struct error err;
static struct bytes content; /* what is left to give */

static enum status give(void *data, struct bytes *piece, struct error *error)
{
    (void)data;
    (void)error;
    *piece = (struct bytes){content.data, content.size < 7 ? content.size : 7};
    content.data += piece->size;
    content.size -= piece->size;
    return STATUS_OK;
}

static enum status stop(void *data, struct bytes *piece, struct error *error)
{
    (void)data;
    (void)piece;
    return error_set(error, STATUS_FULL, "no more pieces");
}

static enum status read_all(changeset_piece_cb piece, struct bytes of, int *rows)
{
    struct changeset *changeset;
    struct changeset_row row;
    enum status status;

    content = of;
    *rows = 0;
    cr_assert_eq(changeset_open(&changeset, piece, NULL, &err), STATUS_OK);
    while ((status = changeset_next(changeset, &row, &err)) == STATUS_OK)
        ++*rows;
    changeset_close(changeset);
    return status;
}

/* One table "t" of two columns, the first its key; an insert of (1, 'x') and (2, 'y'). */
static const uint8_t inserts[] = {'T', 2, 1, 0, 't', 0, 18, 0,   1,  0,  0, 0,
                                  0,   0, 0, 0, 1,   3, 1,  'x', 18, 0,  1, 0,
                                  0,   0, 0, 0, 0,   0, 2,  3,   1,  'y'};

Test(changeset, ends_where_it_says)
{
    int rows;

    cr_expect_eq(read_all(give, (struct bytes){inserts, sizeof inserts}, &rows),
                 STATUS_NOT_FOUND, "%s", err.text);
    cr_expect_eq(rows, 2);
    cr_expect_eq(read_all(give, (struct bytes){inserts, 0}, &rows), STATUS_NOT_FOUND);
}

Test(changeset, that_is_cut_or_none)
{
    int rows;

    static const size_t between[] = {0, 6, 20}; /* header, first row */
    size_t next = 0;

    for (size_t size = 0; size < sizeof inserts; size++) {
        bool whole = next < 3 && size == between[next];

        next += whole;
        cr_expect_eq(read_all(give, (struct bytes){inserts, size}, &rows),
                     whole ? STATUS_NOT_FOUND : STATUS_CORRUPT, "%zu bytes", size);
    }
    cr_expect_eq(read_all(give, bytes_of_text("nothing of the kind"), &rows),
                 STATUS_CORRUPT);
}

Test(changeset, passes_on_why_there_is_no_piece)
{
    int rows;

    cr_expect_eq(read_all(stop, (struct bytes){inserts, sizeof inserts}, &rows),
                 STATUS_FULL);
    cr_expect_str_eq(err.text, "no more pieces");
}
