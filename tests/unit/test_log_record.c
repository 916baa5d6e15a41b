#include "log/log_record.h"

#include <criterion/criterion.h>
#include <string.h>

static struct error err;

/* The header of node 5's entry 1: kind member, stamp 9, one item of 3 bytes, no context,
 * no fields. */
static const uint8_t header[] = {
    1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
    0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0,
};
static const uint8_t body[] = {2, 0xaa, 0xbb};

static struct log_entry entry_of(bool in_parts)
{
    struct log_entry entry = {
        .arrived_us = 0x0a0b,
        .local = true,
        .in_parts = in_parts,
        .run = in_parts ? 6 : 0,
        .header_bytes = {header, sizeof header},
    };

    memset(entry.hash, 0x77, HASH_SIZE);
    if (!in_parts)
        entry.body = (struct bytes){body, sizeof body};
    return entry;
}

static void expect_record(const struct log_entry *entry, const uint8_t *tail, size_t size)
{
    static const uint8_t start[] = {0, 0, 0, 0, 0, 0, 0x0a, 0x0b};
    struct buffer out = {0};
    struct log_entry back;

    log_record_encode(&out, entry);
    cr_assert_eq(out.size,
                 2 + 8 + HASH_SIZE + 1 + sizeof header + size + RECORD_CHECK_SIZE);
    cr_expect_eq(out.data[0], entry->in_parts ? 2 : 1);
    cr_expect_eq(out.data[1], 1, "local");
    cr_expect_arr_eq(out.data + 2, start, sizeof start);
    cr_expect_arr_eq(out.data + 10, entry->hash, HASH_SIZE);
    cr_expect_eq(out.data[42], sizeof header);
    cr_expect_arr_eq(out.data + 43, header, sizeof header);
    cr_expect_arr_eq(out.data + 43 + sizeof header, tail, size);
    cr_assert_eq(log_record_decode(NULL, 1, buffer_view(&out), &back, &err), STATUS_OK,
                 "%s", err.text);
    cr_expect_eq(back.in_parts, entry->in_parts);
    cr_expect_eq(back.run, entry->run);
    cr_expect(back.local);
    cr_expect_eq(back.header.origin, 5);
    for (size_t i = 0; i < out.size; i++)
        cr_expect_eq(log_record_decode(NULL, 1, (struct bytes){out.data, i}, &back, &err),
                     STATUS_CORRUPT, "cut at %zu", i);
    buffer_release(&out);
}

Test(log_record, an_entry_with_its_items_has_the_golden_bytes)
{
    static const uint8_t tail[] = {3, 2, 0xaa, 0xbb};
    const struct log_entry entry = entry_of(false);

    expect_record(&entry, tail, sizeof tail);
}

Test(log_record, an_entry_in_parts_has_the_golden_bytes)
{
    static const uint8_t tail[] = {0, 0, 0, 0, 0, 0, 0, 6};
    const struct log_entry entry = entry_of(true);

    expect_record(&entry, tail, sizeof tail);
}

/* Won, lost, won; the second had a change in entry 10, at 300, the third one in this
 * entry. */
Test(log_record, notes_have_the_golden_bytes_and_read_back)
{
    static const uint8_t golden[] = {0xa0, 0, 3, 0xac, 2, 1, 0};
    static const struct place places[] = {
        {0,  0  },
        {10, 300},
        {12, 0  }
    };
    struct notes notes = {0};
    struct notes_view view;
    struct buffer out = {0};

    for (size_t i = 0; i < 3; i++)
        notes_add(&notes, 12, i != 1, places[i]);
    cr_assert_eq(notes_check(&notes, &err), STATUS_OK);
    notes_encode(&out, &notes);
    cr_assert_eq(out.size, sizeof golden);
    cr_expect_arr_eq(out.data, golden, sizeof golden);
    cr_assert_eq(notes_open(&view, buffer_view(&out), 3, &err), STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        struct place place;
        bool won;

        cr_assert_eq(notes_next(&view, 12, &won, &place, &err), STATUS_OK);
        cr_expect_eq(won, i != 1);
        cr_expect_eq(place.seq, places[i].seq);
        cr_expect_eq(place.index, places[i].index);
    }
    buffer_release(&out);
    notes_release(&notes);
}

Test(log_record, keys_sort_as_their_numbers_do)
{
    uint8_t a[PART_KEY_SIZE], b[PART_KEY_SIZE];
    static const uint8_t golden[] = {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1};

    cr_expect_arr_eq(part_key(a, 256, 513, PART_NOTES).data, golden, sizeof golden);
    cr_expect_lt(bytes_compare(part_key(a, 255, 9000, PART_NOTES),
                               part_key(b, 256, 0, PART_ITEMS)),
                 0);
    cr_expect_lt(bytes_compare(seq_key(a, 255), seq_key(b, 256)), 0);
}
