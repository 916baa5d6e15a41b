#include "log/row_record.h"

#include <criterion/criterion.h>
#include <string.h>

static struct error err;

/* Row 7 of table 2: a live winner that began its own life. */
static const uint8_t plain[] = {
    0x63,       /* live, local 2, born is the version 0x20, linear 0x40 */
    0x90, 0x4e, /* stamp 10000 */
    0,    0,    0, 0, 0, 0, 1, 2, /* origin 0x0102 */
    5,                            /* origin_seq */
    3,                            /* place */
    9,                            /* seq of the winner */
    9,    3,                      /* newest change */
    1,                            /* definition */
    1,    14,                     /* image: integer 7 */
};

/* A row whose image is under another origin's definition, with a born of its own and one
 * absorbed version. */
static const uint8_t full[] = {
    0x19,                       /* live 1, absorbed 8, other definition 16 */
    7,    0,  0, 0, 0, 0, 0, 0, /* stamp 7, origin … */
    9,    5,  0,                /* … 9, seq 5, place 0 */
    4,                          /* seq of the winner */
    6,    1,                    /* newest change */
    2,                          /* definition */
    0,    0,  0, 0, 0, 0, 0, 8, /* its origin */
    3,    0,  0, 0, 0, 0, 0, 0, /* born: stamp 3, origin … */
    8,    1,  0,                /* … 8, seq 1, place 0 */
    1,    11,                   /* one absorbed, 11 bytes */
    6,    0,  0, 0, 0, 0, 0, 0, /* stamp 6, origin … */
    8,    2,  0,                /* … 8, seq 2, place 0 */
    0,                          /* image: null */
};

static const uint8_t lmdb_key[] = {0, 0, 0, 2, 0x10, 0x80, 0, 0, 0, 0, 0, 0, 7};
static const uint8_t absorbed[] = {6, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0};

static struct bytes row_key(void)
{
    return (struct bytes){lmdb_key + 4, sizeof lmdb_key - 4};
}

static struct row plain_row(void)
{
    static const uint8_t image[] = {1, 14};

    return (struct row){
        .version = {10000,   0x0102, 5, 3},
        .born = {10000,      0x0102,            5, 3},
        .winner = {9,3},
        .last = {9,       3            },
        .live = true,
        .local = true,
        .linear = true,
        .definition_origin = 0x0102,
        .definition = 1,
        .image = {image,       sizeof image                       },
        .key = row_key(),
    };
}

static struct row full_row(void)
{
    static const uint8_t image[] = {0};

    return (struct row){
        .version = {7,  9,   5, 0},
        .born = {3, 8,    1, 0},
        .winner = {4, 0},
        .last = {6,  1    },
        .live = true,
        .definition_origin = 8,
        .definition = 2,
        .image = {image,  sizeof image     },
        .key = row_key(),
        .co_count = 1,
        .co = {absorbed,  sizeof absorbed},
    };
}

static void expect_golden(const struct row *row, const uint8_t *golden, size_t size)
{
    struct buffer out = {0};
    struct row back;

    row_record_encode(&out, row);
    cr_assert_eq(buffer_check(&out, &err), STATUS_OK);
    cr_assert_eq(out.size, size + RECORD_CHECK_SIZE);
    cr_expect_arr_eq(out.data, golden, size);
    cr_assert_eq(row_record_decode((struct bytes){lmdb_key, sizeof lmdb_key},
                                   buffer_view(&out), &back, &err),
                 STATUS_OK, "%s", err.text);
    cr_expect_eq(version_compare(&back.version, &row->version), 0);
    cr_expect_eq(version_compare(&back.born, &row->born), 0);
    cr_expect(bytes_equal(back.image, row->image));
    cr_expect(bytes_equal(back.key, row->key));
    cr_expect(bytes_equal(back.co, row->co));
    cr_expect_eq(back.co_count, row->co_count);
    cr_expect_eq(back.winner.seq, row->winner.seq);
    cr_expect_eq(back.winner.index, row->winner.index);
    cr_expect_eq(back.last.seq, row->last.seq);
    cr_expect_eq(back.last.index, row->last.index);
    cr_expect_eq(back.live, row->live);
    cr_expect_eq(back.local, row->local);
    cr_expect_eq(back.linear, row->linear);
    cr_expect_eq(back.definition_origin, row->definition_origin);
    cr_expect_eq(back.definition, row->definition);
    buffer_release(&out);
}

Test(row_record, encodes_to_the_golden_bytes)
{
    const struct row a = plain_row(), b = full_row();

    expect_golden(&a, plain, sizeof plain);
    expect_golden(&b, full, sizeof full);
}

Test(row_record, a_tombstone_has_no_image_and_no_born)
{
    static const uint8_t tombstone[] = {0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 5, 0, 4, 6, 1, 2};
    struct row row = full_row();

    row.live = false;
    row.born = (struct version){0};
    row.image = (struct bytes){NULL, 0};
    row.co = (struct bytes){NULL, 0};
    row.co_count = 0;
    row.definition_origin = 9;
    expect_golden(&row, tombstone, sizeof tombstone);
}

Test(row_record, a_long_key_is_kept_whole_under_its_prefix_and_hash)
{
    uint8_t key[1000], form[ROW_LMDB_KEY_MAX];
    struct row row = plain_row(), back;
    struct buffer out = {0};
    struct bytes stored;

    memset(key, 'k', sizeof key);
    row.key = (struct bytes){key, sizeof key};
    stored = row_lmdb_key(form, 2, row.key);
    cr_expect_eq(stored.size, 4 + 400);
    row_record_encode(&out, &row);
    cr_assert_eq(row_record_decode(stored, buffer_view(&out), &back, &err), STATUS_OK);
    cr_expect(bytes_equal(back.key, row.key));
    key[999] = 'j';
    cr_expect_not(
        bytes_equal(row_lmdb_key((uint8_t[ROW_LMDB_KEY_MAX]){0}, 2, row.key), stored),
        "another key, another place");
    buffer_release(&out);
}

Test(row_record, any_changed_byte_and_any_cut_is_refused)
{
    const struct row row = full_row();
    struct buffer out = {0};
    struct row back;
    struct bytes at = {lmdb_key, sizeof lmdb_key};

    row_record_encode(&out, &row);
    for (size_t i = 0; i < out.size; i++) {
        out.data[i] ^= 1;
        cr_expect_eq(row_record_decode(at, buffer_view(&out), &back, &err),
                     STATUS_CORRUPT, "byte %zu", i);
        out.data[i] ^= 1;
        cr_expect_eq(row_record_decode(at, (struct bytes){out.data, i}, &back, &err),
                     STATUS_CORRUPT, "cut at %zu", i);
    }
    buffer_release(&out);
}

/* The checksum is part of the format: SipHash-2-4 with a key of zeros. */
Test(row_record, the_checksum_is_siphash_of_what_stands_before_it)
{
    static const uint8_t sum_of_nothing[] = {0xd7, 0x00, 0x77, 0x73,
                                             0x9d, 0x4b, 0x92, 0x1e};
    struct buffer out = {0};

    record_seal(&out);
    cr_assert_eq(out.size, RECORD_CHECK_SIZE);
    for (size_t i = 0; i < sizeof sum_of_nothing; i++)
        cr_expect_eq(out.data[i], sum_of_nothing[i], "byte %zu is %02x", i, out.data[i]);
    buffer_release(&out);
}
