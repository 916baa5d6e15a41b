/* What a segment that is damaged, foreign, too early or of two histories gets: one line,
 * and a store as it was. */
#include "tests/support/segment_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(segment_refused, .init = segment_set_up, .fini = segment_tear_down);

/* ---- accidents */

Test(segment_refused, cut_at_any_byte)
{
    struct buffer segment = segment_of_three();

    for (size_t size = 1; size < segment.size; size++)
        segment_refuse(b, (struct bytes){segment.data, size}, REFUSAL_CUT, "cut");
    segment_refuse(b, (struct bytes){segment.data, 0}, REFUSAL_BLANK, "not whole");
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 3);
    buffer_release(&segment);
}

Test(segment_refused, with_any_byte_flipped)
{
    struct buffer segment = segment_of_three();

    for (size_t i = 0; i < segment.size; i++) {
        struct segment_counts counts;

        segment.data[i] ^= 0x10;
        cr_expect_eq(segment_into(b, buffer_view(&segment), &counts, &err),
                     STATUS_REFUSED, "byte %zu", i);
        /* A frame's size is clear: a larger one looks like a cut file. */
        cr_expect(counts.refusal == REFUSAL_ALTERED ||
                      (counts.refusal == REFUSAL_ALIEN && i < 4) ||
                      (counts.refusal == REFUSAL_CUT && i >= SEAL_HEADER_SIZE &&
                       strstr(err.text, "is cut or altered") != NULL),
                  "byte %zu: %s", i, err.text);
        segment.data[i] ^= 0x10;
    }
    cr_expect_eq(log_last(b), 2);
    buffer_release(&segment);
}

Test(segment_refused, with_bytes_behind_its_end)
{
    struct buffer segment = segment_of_three();

    buffer_put(&segment, 0, 1);
    segment_refuse(b, buffer_view(&segment), REFUSAL_ALTERED, "bytes follow its end");
    buffer_release(&segment);
}

Test(segment_refused, whose_content_has_not_come_yet)
{
    struct buffer segment = segment_of_three();

    memset(segment.data + 100, 0, segment.size - 100);
    segment_refuse(b, buffer_view(&segment), REFUSAL_BLANK, "zeros stand in frame 1");
    memset(segment.data, 0, segment.size);
    segment_refuse(b, buffer_view(&segment), REFUSAL_BLANK, "content is missing");
    buffer_release(&segment);
}

Test(segment_refused, of_something_else)
{
    segment_refuse(b, bytes_of_text("SQLite format 3"), REFUSAL_ALIEN,
                   "x is not a segment of rowferry");
}

/* Where each frame begins, and the end. */
static size_t find_frames(struct bytes segment, size_t at[16])
{
    size_t count = 0;
    size_t offset = SEAL_HEADER_SIZE;

    while (offset < segment.size) {
        at[count++] = offset;
        offset += 4 + (size_t)bytes_get(segment.data + offset, 4);
    }
    at[count] = offset;
    return count;
}

static void put_frame(struct buffer *out, const struct buffer *from, const size_t *at,
                      size_t frame)
{
    buffer_put_bytes(out,
                     (struct bytes){from->data + at[frame], at[frame + 1] - at[frame]});
}

Test(segment_refused, with_frames_swapped_repeated_left_out_or_of_another)
{
    static const struct {
        const char *when;
        int frames[4]; /* negative: of the other segment; 99: none */
    } cases[] = {
        {"swapped",          {0, 2, 1, 3} },
        {"repeated",         {0, 1, 1, 2} },
        {"left out",         {0, 2, 3, 99}},
        {"of another",       {0, -1, 2, 3}},
        {"the end only",     {3, 99}      },
        {"nothing but ends", {0, 3, 99}   },
    };
    struct forged forged;
    struct buffer plain = segment_of_three(), one, other;
    size_t at[16], other_at[16];

    /* One record a frame, and not more than four of them. */
    forged_read(&forged, &a->identity, buffer_view(&plain));
    while (forged.count > 4)
        forged_remove(&forged, forged.count - 2);
    one = forged_write(&forged);
    other = forged_write(&forged);
    cr_assert_eq(find_frames(buffer_view(&one), at), 4);
    cr_assert_eq(find_frames(buffer_view(&other), other_at), 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer spliced = {0};

        buffer_put_bytes(&spliced, (struct bytes){one.data, SEAL_HEADER_SIZE});
        for (size_t j = 0; j < 4 && cases[i].frames[j] != 99; j++) {
            int frame = cases[i].frames[j];

            put_frame(&spliced, frame < 0 ? &other : &one, frame < 0 ? other_at : at,
                      (size_t)abs(frame));
        }
        segment_refuse(b, buffer_view(&spliced), REFUSAL_ALTERED, "altered");
        buffer_release(&spliced);
    }
    forged_release(&forged);
    buffer_release(&one);
    buffer_release(&other);
    buffer_release(&plain);
}

/* The header's checksum again, after a change of its fields. */
static void put_check(struct buffer *segment)
{
    size_t size = SEAL_HEADER_SIZE - SEAL_CHECK_SIZE;

    crypto_generichash(segment->data + size, SEAL_CHECK_SIZE, segment->data, size, NULL,
                       0);
}

Test(segment_refused, of_next_years_format)
{
    struct buffer segment = segment_of_three();

    segment.data[5] = 2;
    put_check(&segment);
    segment_refuse(b, buffer_view(&segment), REFUSAL_NEWER,
                   "has format 2, this rowferry reads up to 1: update");
    buffer_release(&segment);
}

Test(segment_refused, of_another_fleet_or_key)
{
    struct buffer segment = segment_of_three();

    segment.data[6] ^= 1;
    put_check(&segment);
    segment_refuse(b, buffer_view(&segment), REFUSAL_FOREIGN, "is of another fleet (01");
    segment.data[6] ^= 1;
    segment.data[25] = 2;
    put_check(&segment);
    segment_refuse(b, buffer_view(&segment), REFUSAL_FOREIGN,
                   "sealed under key generation 2, this node has 1");
    buffer_release(&segment);
}

Test(segment_refused, of_a_fleet_that_claims_our_id)
{
    struct buffer plain = segment_of_three(), segment;
    struct forged forged;

    forged_read(&forged, &a->identity, buffer_view(&plain));
    forged.identity.fleet_key[0] ^= 1;
    segment = forged_write(&forged);
    segment_refuse(b, buffer_view(&segment), REFUSAL_ALTERED, "altered");
    forged_release(&forged);
    buffer_release(&plain);
    buffer_release(&segment);
}

/* ---- what is missing */

Test(segment_refused, when_the_entries_before_it_are_missing)
{
    struct buffer segment;

    segment = segment_of(a, NULL, 0);
    segment_take(c, buffer_view(&segment));
    buffer_release(&segment);
    log_write(a, 1, "one", NULL);
    segment = segment_of(a, c, 0);
    segment_refuse(b, buffer_view(&segment), REFUSAL_MISSING,
                   "entries 1..2 of node 0000000000000001 are missing: meet a node that "
                   "has them");
    buffer_release(&segment);
}

Test(segment_refused, when_what_an_entry_had_seen_is_missing)
{
    struct buffer first, second;

    first = segment_of(a, NULL, 0);
    segment_take(b, buffer_view(&first)); /* b knows a by name */
    buffer_release(&first);
    log_write(a, 1, "one", NULL);
    log_carry(a, c, 0);
    log_take_all(c);
    log_write(c, 1, "edited", NULL);
    second = segment_of(c, a, 0); /* all of c, nothing of a */
    segment_refuse(b, buffer_view(&second), REFUSAL_MISSING,
                   "entry 3 of node 0000000000000001 (node 1) is missing");
    buffer_release(&second);
}

/* ---- two histories */

Test(segment_refused, fork_of_another_node)
{
    struct buffer one, other;

    log_node_copy(a, c); /* c is now a copy of a's store */
    log_write(a, 1, "one", NULL);
    one = segment_of(a, NULL, 0);
    segment_take(b, buffer_view(&one));
    log_write(c, 1, "other", NULL);
    log_write(c, 2, "more", NULL);
    other = segment_of(c, NULL, 0);
    segment_refuse(b, buffer_view(&other), REFUSAL_FORK,
                   "node 0000000000000001 (node 1) has two histories, its entry 3");
    buffer_release(&other);
    other = segment_of(c, b, 0); /* goes on where b's head is */
    segment_refuse(b, buffer_view(&other), REFUSAL_FORK,
                   "rowferry init --join --take-over");
    buffer_release(&one);
    buffer_release(&other);
}

Test(segment_refused, fork_of_this_node)
{
    struct buffer segment;

    log_node_copy(a, c); /* c: yesterday's backup of a */
    log_write(a, 1, "one", NULL);
    segment = segment_of(a, NULL, 0);
    segment_refuse(c, buffer_view(&segment), REFUSAL_FORK,
                   "an entry 3 of this node that is not in its store");
    log_write(c, 1, "other", NULL);
    segment_refuse(c, buffer_view(&segment), REFUSAL_FORK, "give this store up");
    buffer_release(&segment);
}
