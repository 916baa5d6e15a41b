/* Segments between real stores: what they carry, and that a repeat changes nothing. */
#include "log/peers.h"
#include "tests/support/segment_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(segment, .init = segment_set_up, .fini = segment_tear_down);

/* One way; what entered. */
static uint64_t carry(struct log_node *from, struct log_node *to, uint64_t most)
{
    struct buffer segment = segment_of(from, to, most);
    uint64_t entries = segment.size == 0 ? 0 : segment_take(to, buffer_view(&segment));

    buffer_release(&segment);
    return entries;
}

static void pass_time(uint64_t us)
{
    for (size_t i = 0; i < fixture.count; i++)
        fixture.nodes[i].now_us += us;
}

Test(segment, carries_members_definitions_and_changes)
{
    log_write(a, 1, "one", "eins");
    log_write(a, 1, "two", NULL);
    log_write(a, 2, "gone", NULL);
    log_write(a, 2, NULL, NULL);
    cr_expect_eq(carry(a, b, 0), 6);
    cr_expect_str_eq(log_winner(b, 1), "a=two b=");
    cr_expect_str_eq(log_winner(b, 2), "deleted");
    cr_expect_eq(carry(b, a, 0), 2);
    cr_expect(logs_equal(a, b));
}

Test(segment, is_nothing_when_the_reader_has_all)
{
    struct buffer segment;

    log_write(a, 1, "one", NULL);
    carry(a, b, 0);
    segment = segment_of(a, b, 0);
    cr_expect_eq(segment.size, 0);
    buffer_release(&segment);
}

Test(segment, repeated_changes_no_byte_of_the_store)
{
    struct buffer segment;
    struct stat before, after;
    char path[LOG_PATH_MAX + 16];
    struct store_txn *txn;
    uint64_t last;

    log_write(a, 1, "one", NULL);
    segment = segment_of(a, NULL, 0);
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 3);
    last = log_last(b);
    (void)snprintf(path, sizeof path, "%s/data.mdb", b->folder);
    cr_assert_eq(stat(path, &before), 0);
    b->now_us += 1000;
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 0);
    cr_assert_eq(stat(path, &after), 0);
    cr_expect_eq(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
    cr_expect_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    cr_expect_eq(log_last(b), last);
    OK(store_begin(b->store, TXN_READ, &txn, &err));
    store_abort(txn);
    buffer_release(&segment);
}

Test(segment, travels_through_a_third_node)
{
    log_write(a, 1, "one", NULL);
    log_write(b, 2, "two", NULL);
    carry(a, b, 0);
    log_take_all(b);
    pass_time(10);
    log_write(b, 1, "edited", NULL);
    cr_expect_eq(carry(b, c, 0), 7, "a never met c");
    cr_expect_str_eq(log_winner(c, 1), "a=edited b=");
    cr_expect_eq(log_conflicts(c), 0);
    carry(c, b, 0);
    carry(c, a, 0);
    cr_expect(logs_equal(a, b));
    cr_expect(logs_equal(a, c));
}

Test(segment, of_two_entries_at_a_time_brings_all)
{
    int rounds = 0;

    for (int i = 0; i < 9; i++)
        log_write(a, i, "x", NULL);
    carry(c, a, 0);
    while (carry(a, b, 2) > 0)
        rounds++;
    cr_expect_geq(rounds, 6);
    carry(b, a, 0);
    cr_expect(logs_equal(a, b));
}

Test(segment, taken_up_in_the_middle_finishes)
{
    struct buffer segment;

    for (int i = 0; i < 5; i++)
        log_write(a, i, "x", NULL);
    segment = segment_of(a, NULL, 0);
    log_carry(a, b, 4); /* a crash left whole entries, and no signature */
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 3);
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 0);
    cr_expect_eq(carry(b, c, 0), 9);
    buffer_release(&segment);
}

Test(segment, does_not_pass_on_what_is_not_signed)
{
    struct buffer segment;

    log_write(a, 1, "one", NULL);
    carry(a, b, 0);
    log_write(a, 2, "two", NULL);
    log_carry(a, b, 0);
    log_take_all(b);
    pass_time(10);
    log_write(b, 3, "before", NULL);
    segment = segment_of(b, NULL, 0);
    /* a's three signed entries and b's first two; b's third has seen a's fourth. */
    cr_expect_eq(segment_take(c, buffer_view(&segment)), 5);
    buffer_release(&segment);
    carry(a, b, 0);
    segment = segment_of(a, NULL, 0);
    segment_take(b, buffer_view(&segment));
    buffer_release(&segment);
    cr_expect_eq(carry(b, c, 0), 2);
}

/* One entry of so many rows, each with a text of 500 bytes. */
static void write_many(struct log_node *node, int rows)
{
    struct buffer key = {0}, image = {0};
    struct appender *appender;
    char text[501];
    uint64_t seq;

    memset(text, 'x', 500);
    text[500] = '\0';
    OK(appender_open(&appender, node->store, APPENDER_CAPTURE, &err));
    for (int i = 0; i < rows; i++) {
        struct change change = {.op = CHANGE_INSERT, .definition = 1};

        buffer_clear(&key);
        buffer_clear(&image);
        item_key(&key, i);
        text[i % 500] = (char)('a' + i % 26);
        item_image(&image, i, text, "b");
        change.key = buffer_view(&key);
        change.image = buffer_view(&image);
        OK(appender_add_change(appender, &change, &err));
    }
    OK(appender_end_local(appender, &(struct local_entry){.kind = ENTRY_CHANGES}, &seq,
                          &err));
    OK(appender_commit(appender, &err));
    appender_close(appender);
    buffer_release(&key);
    buffer_release(&image);
}

Test(segment, carries_an_entry_of_many_parts)
{
    struct buffer segment;

    write_many(a, 12000);
    segment = segment_of(a, NULL, 0);
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 3);
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 0);
    cr_expect(strncmp(log_winner(b, 11999), "a=", 2) == 0);
    buffer_release(&segment);
    carry(b, a, 0);
    cr_expect(logs_equal(a, b));
}

Test(segment, carries_a_value_of_megabytes)
{
    struct buffer text = {0}, segment;
    char *content = malloc(3 << 20);

    cr_assert_not_null(content);
    for (size_t i = 0; i < (3 << 20); i++) /* that does not compress well */
        content[i] = (char)('0' + (i * 2654435761U >> 13) % 64);
    content[(3 << 20) - 1] = '\0';
    log_write(a, 1, content, NULL);
    segment = segment_of(a, NULL, 0);
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 3);
    buffer_release(&segment);
    buffer_release(&text);
    free(content);
    carry(b, a, 0);
    cr_expect(logs_equal(a, b));
}

Test(segment, says_what_it_holds_in_its_first_frame)
{
    struct buffer segment;
    struct segment_ranges ranges;
    enum refusal refusal;
    FILE *file;

    segment_ranges_init(&ranges);
    carry(a, b, 0);
    log_write(a, 1, "one", NULL);
    segment = segment_of(a, b, 0);
    file = fmemopen(segment.data, segment.size - 1, "rb");
    cr_assert_not_null(file);
    OK(segment_read_ranges(&b->identity, file, "x", &ranges, &refusal, &err));
    cr_assert_eq(ranges.count, 1);
    cr_expect_eq(ranges.items[0].origin, a->identity.node);
    cr_expect_eq(ranges.items[0].from, 2);
    cr_expect_eq(ranges.items[0].to, 3);
    rewind(file);
    cr_expect_eq(segment_read_whole(&b->identity, file, "x", &ranges, &refusal, &err),
                 STATUS_REFUSED);
    cr_expect_eq(refusal, REFUSAL_CUT);
    (void)fclose(file);
    segment_ranges_release(&ranges);
    buffer_release(&segment);
}

Test(segment, brings_what_nodes_say_of_themselves)
{
    struct store_txn *txn;
    struct peer peer;

    log_write(a, 1, "one", NULL);
    carry(a, b, 0);
    log_take_all(b);
    carry(b, c, 0);
    peer_init(&peer);
    OK(store_begin(c->store, TXN_READ, &txn, &err));
    OK(peers_get(txn, a->identity.node, &peer, &err));
    cr_expect_eq(peer.ack.last_own_seq, 3);
    cr_expect_eq(peer.heard_us, c->now_us);
    OK(peers_get(txn, b->identity.node, &peer, &err));
    cr_expect_eq(version_vector_get(&peer.ack.holds, a->identity.node), 3);
    cr_expect_eq(version_vector_get(&peer.ack.context, a->identity.node), 3);
    cr_expect_eq(peers_get(txn, c->identity.node, &peer, &err), STATUS_NOT_FOUND);
    store_abort(txn);
    peer_release(&peer);
}

Test(segment, head_is_signed_once)
{
    struct store_txn *txn;
    uint64_t signed_seq = 0, newest = 0;
    uint8_t signature[SIGNATURE_SIZE];

    log_write(a, 1, "one", NULL);
    OK(segment_sign_head(a->store, &err));
    OK(segment_sign_head(a->store, &err));
    OK(store_begin(a->store, TXN_READ, &txn, &err));
    OK(meta_get(txn, META_SIGNED_SEQ, &signed_seq, &err));
    OK(log_signature_find(txn, a->identity.node, 99, &newest, signature, &err));
    store_abort(txn);
    cr_expect_eq(signed_seq, 3);
    cr_expect_eq(newest, 3);
}

/* ---- clocks */

enum { YEAR_DAYS = 365 };
#define DAY_US (UINT64_C(86400) * 1000000)

Test(segment, clock_ahead)
{
    struct buffer segment;
    struct segment_counts counts;

    log_write(a, 1, "right", NULL);
    a->now_us += (10 * YEAR_DAYS + 3) * DAY_US;
    log_write(a, 2, "ahead", NULL);
    log_write(a, 3, "ahead too", NULL);
    segment = segment_of(a, NULL, 0);
    cr_expect_eq(segment_into(b, buffer_view(&segment), &counts, &err), STATUS_REFUSED);
    cr_expect_eq(counts.refusal, REFUSAL_SKEWED);
    cr_expect_eq(counts.entries, 3, "the entries before it enter");
    cr_expect_eq(counts.waiting, 2);
    cr_expect_not_null(strstr(err.text, "node 0000000000000001 (node 1)"), "%s",
                       err.text);
    cr_expect_not_null(strstr(err.text, "10 years 3 days ahead"), "%s", err.text);
    cr_expect_str_eq(log_winner(b, 1), "a=right b=");
    cr_expect_str_eq(log_winner(b, 2), "nothing");

    /* Nothing else waits for it: b, who has seen a's first entries, passes both on. */
    log_take_all(b);
    log_write(b, 1, "edited", NULL);
    cr_expect_eq(carry(b, c, 0), 6);
    cr_expect_str_eq(log_winner(c, 1), "a=edited b=");

    /* When it is time, the same segment brings the rest. */
    b->now_us = a->now_us;
    cr_expect_eq(segment_take(b, buffer_view(&segment)), 2);
    buffer_release(&segment);
}

Test(segment, of_a_skewed_node_keeps_only_dependants_out)
{
    struct buffer segment;
    struct segment_counts counts;

    log_carry(a, b, 0);
    log_take_all(b);
    a->now_us += DAY_US;
    log_write(a, 1, "ahead", NULL);
    log_write(b, 2, "in time", NULL);
    b->now_us += DAY_US; /* b takes it, and writes having seen it */
    carry(a, b, 0);
    log_take_all(b);
    log_write(b, 1, "after", NULL);
    segment = segment_of(b, NULL, 0);
    cr_expect_eq(segment_into(c, buffer_view(&segment), &counts, &err), STATUS_REFUSED);
    cr_expect_eq(counts.waiting, 2);
    cr_expect_eq(counts.entries, 5);
    cr_expect_str_eq(log_winner(c, 2), "a=in time b=");
    cr_expect_str_eq(log_winner(c, 1), "nothing");
    buffer_release(&segment);
}

Test(segment, says_when_the_importers_own_clock_is_wrong)
{
    struct buffer segment;
    struct segment_counts counts;

    pass_time(3 * DAY_US);
    log_write(b, 1, "here", NULL);
    log_write(a, 2, "there", NULL);
    b->now_us = 1000000;
    segment = segment_of(a, NULL, 0);
    cr_expect_eq(segment_into(b, buffer_view(&segment), &counts, &err), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "this machine's clock is 3 days before"), "%s",
                       err.text);
    buffer_release(&segment);
}

/* ---- files that fail */

static enum status write_all(FILE *file)
{
    struct version_vector held, after;
    struct segment_counts counts;
    enum status status;

    version_vector_init(&held);
    version_vector_init(&after);
    status = segment_write(a->store, &held, 0, file, &after, &counts, &err);
    version_vector_release(&held);
    version_vector_release(&after);
    return status;
}

Test(segment, finds_no_room)
{
    FILE *full = fopen("/dev/full", "we");

    cr_assert_not_null(full);
    log_write(a, 1, "one", NULL);
    cr_expect_eq(write_all(full), STATUS_FULL);
    cr_expect_not_null(strstr(err.text, "free some disk space"), "%s", err.text);
    (void)fclose(full);
}

Test(segment, can_not_be_written)
{
    FILE *null = fopen("/dev/null", "re");

    cr_assert_not_null(null);
    cr_expect_eq(write_all(null), STATUS_IO);
    cr_expect_not_null(strstr(err.text, "cannot write the segment"), "%s", err.text);
    (void)fclose(null);
}

/* A file whose medium fails behind the first so many bytes. */
struct worn {
    struct buffer content;
    size_t at, good;
};

static ssize_t read_worn(void *cookie, char *out, size_t size)
{
    struct worn *worn = cookie;

    if (worn->at == worn->good) {
        errno = EIO;
        return -1;
    }
    if (size > worn->good - worn->at)
        size = worn->good - worn->at;
    memcpy(out, worn->content.data + worn->at, size);
    worn->at += size;
    return (ssize_t)size;
}

Test(segment, can_not_be_read_to_its_end)
{
    struct worn worn = {.content = segment_of_three()};
    const cookie_io_functions_t calls = {.read = read_worn};

    for (worn.good = 0; worn.good <= worn.content.size; worn.good++) {
        FILE *file = fopencookie(&worn, "r", calls);
        struct segment_ranges ranges;
        enum refusal refusal;

        cr_assert_not_null(file);
        worn.at = 0;
        segment_ranges_init(&ranges);
        cr_expect_eq(segment_read_whole(&a->identity, file, "x", &ranges, &refusal, &err),
                     STATUS_IO, "%zu bytes", worn.good);
        cr_expect_not_null(strstr(err.text, "Input/output error"), "%s", err.text);
        segment_ranges_release(&ranges);
        (void)fclose(file);
    }
    buffer_release(&worn.content);
}
