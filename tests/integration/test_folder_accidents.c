/* What may happen to a folder's files, and to the stores, between the visits. */
#include "tests/support/folder_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static struct log_node *a, *b, *c;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", meeting.err.text)

static void set_up(void)
{
    folder_fixture_open();
    a = &meeting.stores.nodes[0];
    b = &meeting.stores.nodes[1];
    c = &meeting.stores.nodes[2];
}

TestSuite(folder_accidents, .init = set_up, .fini = folder_fixture_close);

/* ---- accidents */

Test(folder_accidents, with_half_a_segment_waits_for_the_rest)
{
    struct buffer whole;

    log_write(a, 1, "one", NULL);
    visit(a);
    whole = read_shared(segment_name(a, 1));
    cut_shared(segment_name(a, 1), 100);
    visit(b);
    expect_notice("is not whole yet (100 of ");
    cr_expect_eq(meeting.counts.unready, 1);
    cr_expect_eq(meeting.counts.segments_opened, 0);
    write_shared(segment_name(a, 1), buffer_view(&whole));
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 3);
    cr_expect_str_eq(meeting.notices, "");
    buffer_release(&whole);
}

Test(folder_accidents, shows_a_state_before_its_segment)
{
    struct buffer whole;

    visit(a);
    whole = read_shared(segment_name(a, 1));
    cr_assert_eq(unlink(in_shared(segment_name(a, 1))), 0);
    visit(b);
    expect_notice("is not whole yet (0 of ");
    write_shared(segment_name(a, 1), buffer_view(&whole));
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 2);
    buffer_release(&whole);
}

Test(folder_accidents, shows_a_segment_before_its_state)
{
    struct buffer state;

    visit(a);
    state = read_shared(state_name(a));
    cr_assert_eq(unlink(in_shared(state_name(a))), 0);
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 2);
    cr_expect_eq(meeting.counts.sent.entries, 2, "what the other segment holds is there");
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 0, "opened once");
    write_shared(state_name(a), buffer_view(&state));
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 0);
    buffer_release(&state);
}

Test(folder_accidents, shows_a_segment_without_news_before_its_state)
{
    visit(a);
    cr_assert_eq(unlink(in_shared(state_name(a))), 0);
    log_carry(a, b, 0); /* b has it all by another road */
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 1);
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 0, "opened once");
}

Test(folder_accidents, shows_half_a_segment_before_its_state)
{
    struct buffer whole;

    visit(a);
    whole = read_shared(segment_name(a, 1));
    cr_assert_eq(unlink(in_shared(state_name(a))), 0);
    for (size_t size = 0; size < whole.size; size += 50) {
        write_shared(segment_name(a, 1), buffer_view(&whole));
        cut_shared(segment_name(a, 1), size);
        visit(b);
        cr_expect_eq(meeting.counts.unready, 1, "%zu bytes", size);
        cr_expect_eq(meeting.counts.received.entries, 0);
    }
    write_shared(segment_name(a, 1), buffer_view(&whole));
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 2);
    buffer_release(&whole);
}

Test(folder_accidents, takes_the_others_when_one_segment_is_damaged)
{
    visit(a);
    visit(b);
    cr_assert_eq(meeting.counts.sent.entries, 2);
    flip_shared(segment_name(a, 1), 200);
    cr_expect_eq(visit_try(c), STATUS_REFUSED);
    expect_refusal("was altered");
    expect_refusal(segment_name(a, 1));
    cr_expect_eq(meeting.counts.received.entries, 2, "b's");
    /* Removed, it is written again. */
    cr_assert_eq(unlink(in_shared(segment_name(a, 1))), 0);
    visit(a);
    cr_expect_eq(meeting.counts.sent.entries, 2);
    visit(c);
    cr_expect_eq(meeting.counts.received.entries, 2);
    cr_expect_str_eq(meeting.notices, "");
}

Test(folder_accidents, with_two_segments_swapped_loses_nothing)
{
    visit(a);
    log_write(a, 1, "one", NULL);
    visit(a);
    cr_assert_eq(rename(in_shared(segment_name(a, 1)), in_shared("other")), 0);
    cr_assert_eq(rename(in_shared(segment_name(a, 2)), in_shared(segment_name(a, 1))), 0);
    cr_assert_eq(rename(in_shared("other"), in_shared(segment_name(a, 2))), 0);
    visit(b);
    cr_expect_eq(meeting.counts.unready, 2);
    visit(a);
    cr_expect_eq(meeting.counts.sent.entries, 3,
                 "written again, since its files are not its own");
    visit(b);
    cr_expect_str_eq(log_winner(b, 1), "a=one b=");
}

Test(folder_accidents, with_a_state_that_is_cut_altered_or_empty_goes_on)
{
    static const struct {
        const char *when;
        size_t size; /* cut to it; 0xffff: a byte flipped */
        enum status status;
    } cases[] = {
        {"empty",              0,      STATUS_OK     },
        {"cut in its header",  30,     STATUS_OK     },
        {"cut in its content", 100,    STATUS_OK     },
        {"altered",            0xffff, STATUS_REFUSED},
    };
    struct buffer state;

    log_write(b, 1, "one", NULL);
    visit(b);
    visit(a);
    state = read_shared(state_name(a));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_shared(state_name(a), buffer_view(&state));
        if (cases[i].size == 0xffff)
            flip_shared(state_name(a), 90);
        else
            cut_shared(state_name(a), cases[i].size);
        cr_expect_eq(visit_try(c), cases[i].status, "%s: %s", cases[i].when,
                     meeting.err.text);
        cr_expect_eq(meeting.counts.unready, cases[i].status == STATUS_OK, "%s",
                     cases[i].when);
        cr_expect_str_eq(log_winner(c, 1), "a=one b=");
    }
    visit(a); /* which writes it again, and no segment */
    cr_expect_eq(meeting.counts.sent.entries, 0);
    visit(c);
    cr_expect_str_eq(meeting.notices, "");
    buffer_release(&state);
}

Test(folder_accidents, has_a_state_under_another_nodes_name)
{
    struct buffer state;

    visit(a);
    visit(b);
    state = read_shared(state_name(a));
    write_shared(state_name(b), buffer_view(&state));
    cr_expect_eq(visit_try(c), STATUS_REFUSED);
    expect_refusal("is node 0000000000000001's");
    cr_expect_eq(meeting.counts.received.entries, 4, "the segments are taken");
    visit(b);
    expect_notice("is node 0000000000000001's");
    visit(b);
    cr_expect_str_eq(meeting.notices, "");
    visit(c);
    buffer_release(&state);
}

Test(folder_accidents, goes_on_after_a_backup_that_lost_nothing)
{
    log_node_copy(a, c);
    visit(a);
    log_node_copy(c, a);
    visit(a);
    cr_expect_eq(meeting.counts.segments_opened, 1, "to see whether it tells of a fork");
    visit(a);
    cr_expect_eq(meeting.counts.segments_opened, 0);
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 2);
}

Test(folder_accidents, with_a_file_of_another_fleet_takes_its_own)
{
    struct buffer plain, foreign;
    struct forged forged;

    log_write(a, 1, "one", NULL);
    plain = segment_of(a, NULL, 0);
    forged_read(&forged, &a->identity, buffer_view(&plain));
    forged.identity.fleet[3] = 0xee;
    foreign = forged_write(&forged);
    write_shared("000000000000abcd-00000001.rfseg", buffer_view(&foreign));
    cr_expect_eq(visit_try(a), STATUS_REFUSED);
    cr_expect_eq(visit_try(b), STATUS_REFUSED);
    expect_refusal("is of another fleet");
    cr_expect_str_eq(log_winner(b, 1), "a=one b=");
    forged_release(&forged);
    buffer_release(&plain);
    buffer_release(&foreign);
}

Test(folder_accidents, leaves_files_that_are_not_its_own_alone)
{
    static const char *const names[] = {
        "README",
        "0000000000000001.rfstate.sync-conflict",
        "0000000000000001-1.rfseg",
        "0000000000000001-000000001.rfseg",
        "000000000000000A.rfstate",
        ".0000000000000002-00000009.rfseg.tmp",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_shared(names[i], bytes_of_text("x"));
    write_shared(".0000000000000001-00000009.rfseg.tmp", bytes_of_text("half"));
    visit(a);
    cr_expect_str_eq(meeting.notices, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_expect(is_shared(names[i]), "%s", names[i]);
    cr_expect_not(is_shared(".0000000000000001-00000009.rfseg.tmp"),
                  "what a dead visit of its own left");
}

Test(folder_accidents, of_a_visit_that_died_between_its_two_renames)
{
    struct buffer old_state;

    visit(a);
    old_state = read_shared(state_name(a));
    log_write(a, 1, "one", NULL);
    visit(a);
    cr_expect(is_shared(segment_name(a, 2)));
    write_shared(state_name(a), buffer_view(&old_state));
    meeting.counts = (struct visit_counts){0};
    cr_expect_eq(send_only(a), STATUS_OK);
    cr_expect_eq(meeting.counts.sent.entries, 0, "it is there already");
    cr_expect_not(is_shared(segment_name(a, 3)));
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 3);
    cr_expect_str_eq(meeting.notices, "");
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 0, "both are listed");
    buffer_release(&old_state);
}

Test(folder_accidents, writes_again_what_its_own_torn_segment_held)
{
    size_t size;
    struct buffer whole;

    visit(a);
    whole = read_shared(segment_name(a, 1));
    size = whole.size;
    buffer_release(&whole);
    cr_assert_eq(unlink(in_shared(state_name(a))), 0);
    cut_shared(segment_name(a, 1), size - 1);
    visit(a);
    expect_notice("is cut");
    cr_expect_eq(meeting.counts.sent.entries, 2);
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 2);
}

Test(folder_accidents, never_reuses_a_number)
{
    visit(a);
    cr_assert_eq(unlink(in_shared(segment_name(a, 1))), 0);
    cr_assert_eq(unlink(in_shared(state_name(a))), 0);
    visit(a);
    cr_expect_eq(meeting.counts.sent.entries, 2);
    cr_expect_not(is_shared(segment_name(a, 1)));
    cr_expect(is_shared(segment_name(a, 2)));
    write_shared(segment_name(a, 7), bytes_of_text("RFSG of somebody"));
    log_write(a, 1, "one", NULL);
    OK(send_only(a));
    cr_expect(is_shared(segment_name(a, 8)));
}

Test(folder_accidents, waits_for_entries_that_only_another_folder_has)
{
    visit(a);
    visit(b);
    meet_in("second");
    visit(b);
    /* As if b's first segment had been lost on the way. */
    log_write(b, 1, "one", NULL);
    visit(b);
    cr_assert_eq(unlink(in_shared(segment_name(b, 2))), 0);
    visit(c);
    expect_notice("is not whole yet");
    expect_notice("entries 1..2 of node 0000000000000002 are missing");
    cr_expect_eq(meeting.counts.unready, 2);
    meet_in("shared");
    visit(c);
    meet_in("second");
    visit(c);
    cr_expect_str_eq(log_winner(c, 1), "a=one b=");
}

Test(folder_accidents, with_a_skewed_node_serves_the_others)
{
    log_write(b, 1, "in time", NULL);
    visit(b);
    a->now_us += UINT64_C(86400) * 1000000;
    log_write(a, 2, "ahead", NULL);
    visit(a);
    cr_expect_eq(visit_try(c), STATUS_REFUSED);
    expect_refusal("1 day ahead");
    cr_expect_eq(meeting.counts.received.waiting, 1);
    cr_expect_str_eq(log_winner(c, 1), "a=in time b=");
    OK(send_only(c));
    c->now_us = a->now_us;
    visit(c);
    cr_expect_str_eq(log_winner(c, 2), "a=ahead b=");
}

Test(folder_accidents, refuses_a_store_that_came_back_from_a_backup)
{
    log_node_copy(a, c);
    log_write(a, 1, "one", NULL);
    visit(a);
    log_node_copy(c, a);
    cr_expect_eq(visit_try(a), STATUS_REFUSED);
    expect_refusal("rowferry init --join --take-over");
    cr_expect_eq(send_only(a), STATUS_REFUSED);
    log_write(a, 1, "other", NULL);
    cr_expect_eq(visit_try(a), STATUS_REFUSED, "its numbers are used again");
    expect_refusal("rowferry init --join --take-over");
    cr_expect_eq(send_only(a), STATUS_REFUSED);
    expect_refusal("rowferry init --join --take-over");
}

Test(folder_accidents, refuses_a_copied_store_that_both_use)
{
    log_node_copy(a, c);
    log_write(a, 1, "one", NULL);
    visit(a);
    visit(b);
    log_write(c, 1, "other", NULL);
    log_write(c, 2, "more", NULL);
    meet_in("second");
    visit(c);
    cr_expect_eq(visit_try(b), STATUS_REFUSED);
    expect_refusal("has two histories");
    cr_expect_str_eq(log_winner(b, 1), "a=one b=");
}
