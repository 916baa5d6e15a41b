/* Nodes that meet in a folder, and what the folder may be. */
#include "tests/support/folder_fixture.h"

#include "log/peers.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

TestSuite(folder, .init = set_up, .fini = folder_fixture_close);

/* ---- visits that go well */

Test(folder, brings_everything_to_everyone)
{
    log_write(a, 1, "one", NULL);
    visit(a);
    cr_expect_eq(meeting.counts.sent.entries, 3);
    cr_expect_eq(meeting.counts.sent.changes, 1);
    cr_expect_gt(meeting.counts.sent.bytes, 0);
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 3);
    cr_expect_eq(meeting.counts.received.changes, 1);
    cr_expect_eq(meeting.counts.segments_opened, 1);
    cr_expect_eq(meeting.counts.sent.entries, 2, "only its own: the others are there");
    visit(c);
    visit(a);
    visit(b);
    cr_expect(logs_equal(a, b));
    cr_expect(logs_equal(a, c));
    cr_expect_str_eq(meeting.notices, "");
}

Test(folder, three_servers)
{
    log_write(a, 1, "one", NULL);
    visit(a);
    visit(b);
    meet_in("second");
    b->now_us += 10;
    log_write(b, 1, "edited", NULL);
    visit(b);
    visit(c);
    cr_expect_str_eq(log_winner(c, 1), "a=edited b=");
    cr_expect_eq(log_conflicts(c), 0);
    cr_expect(logs_equal(b, c) == false, "c's own entries are not with b yet");
    visit(b);
    cr_expect(logs_equal(b, c));
}

Test(folder, with_a_thousand_segments_and_nothing_new_opens_none)
{
    uint64_t before, after;
    size_t count;

    for (int i = 0; i < 1000; i++) {
        a->now_us += 10;
        log_write(a, i % 7, i % 2 == 0 ? "even" : "odd", NULL);
        OK(send_only(a));
    }
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 1000);
    visit(a);
    visit(b);
    count = look_at_shared(&before);
    cr_expect_eq(count, 1003);
    for (int i = 0; i < 2; i++) {
        visit(a);
        cr_expect_eq(meeting.counts.segments_opened, 0);
        visit(b);
        cr_expect_eq(meeting.counts.segments_opened, 0);
        cr_expect_eq(meeting.counts.sent.entries + meeting.counts.received.entries, 0);
    }
    cr_expect_eq(look_at_shared(&after), count);
    cr_expect_eq(after, before, "a visit with nothing new writes nothing");
}

Test(folder, opens_only_what_is_new)
{
    log_write(a, 1, "one", NULL);
    visit(a);
    visit(b);
    visit(a);
    log_write(a, 2, "two", NULL);
    visit(a);
    visit(b);
    cr_expect_eq(meeting.counts.segments_opened, 1);
    cr_expect_eq(meeting.counts.received.entries, 1);
}

Test(folder, learns_what_the_others_hold)
{
    struct store_txn *txn;
    struct peer peer;

    visit(a);
    visit(b);
    visit(a);
    peer_init(&peer);
    OK(store_begin(a->store, TXN_READ, &txn, &meeting.err));
    OK(peers_get(txn, b->identity.node, &peer, &meeting.err));
    store_abort(txn);
    cr_expect_eq(version_vector_get(&peer.ack.holds, a->identity.node), 2);
    cr_expect_eq(version_vector_get(&peer.ack.context, a->identity.node), 2);
    peer_release(&peer);
}

/* ---- the environment */

Test(folder, that_is_missing_or_no_folder)
{
    struct transport *transport;

    cr_expect_eq(folder_open(&transport, in_shared("none"), a->store, &meeting.err),
                 STATUS_UNAVAILABLE);
    cr_expect_null(transport);
    write_shared("file", bytes_of_text("x"));
    cr_expect_eq(folder_open(&transport, in_shared("file"), a->store, &meeting.err),
                 STATUS_UNAVAILABLE);
    expect_refusal("file: Not a directory");
}

Test(folder, that_is_read_only)
{
    uint64_t before, after, next = 0;
    struct store_txn *txn;
    size_t count;

    visit(a);
    count = look_at_shared(&before);
    cr_assert_eq(chmod(meeting.stores.folder, 0711), 0);
    cr_assert_eq(chmod(meeting.shared, 0555), 0);
    log_write(a, 1, "one", NULL);
    OK(store_lock(a->store, LOCK_IMPORT, &meeting.err));
    OK(store_lock(b->store, LOCK_IMPORT, &meeting.err));
    if (geteuid() == 0)
        cr_assert_eq(seteuid(65534), 0); /* root may write everywhere */
    cr_expect_eq(send_only(a), STATUS_UNAVAILABLE);
    cr_expect_null(strchr(meeting.err.text, '\n'));
    expect_refusal(meeting.shared);
    cr_expect_eq(receive_only(b), STATUS_OK, "it can be read");
    if (getuid() == 0)
        cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(chmod(meeting.shared, 0755), 0);
    cr_expect_eq(look_at_shared(&after), count);
    cr_expect_eq(after, before);
    OK(store_begin(a->store, TXN_READ, &txn, &meeting.err));
    OK(meta_get(txn, META_NEXT_SEGMENT, &next, &meeting.err));
    store_abort(txn);
    cr_expect_eq(next, 2);
    visit(a);
    cr_expect_eq(meeting.counts.sent.entries, 1);
}

Test(folder, that_is_full)
{
    struct rlimit limit, low;
    uint64_t before, after;
    size_t count;

    visit(a);
    count = look_at_shared(&before);
    for (int i = 0; i < 9; i++)
        log_write(a, i, "a text", NULL);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    low = limit;
    low.rlim_cur = 150;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    cr_expect_eq(send_only(a), STATUS_FULL);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(look_at_shared(&after), count, "nothing half written is left");
    cr_expect_eq(after, before);
    visit(a);
    cr_expect_eq(meeting.counts.sent.entries, 9);
    visit(b);
    cr_expect_eq(meeting.counts.received.entries, 11);
}

static int open_shared(void)
{
    int directory = open(meeting.shared, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    cr_assert_geq(directory, 0);
    return directory;
}

Test(folder, whose_files_can_not_be_read)
{
    struct buffer content = {0};
    int directory = open_shared();
    FILE *file;

    write_shared("small", bytes_of_text("12345"));
    cr_assert_eq(symlink("loop", in_shared("loop")), 0);
    cr_assert_eq(mkdir(in_shared("folder"), 0700), 0);
    cr_expect_eq(folder_open_file(directory, "f", "none", &file, &meeting.err),
                 STATUS_NOT_FOUND);
    cr_expect_null(file);
    cr_expect_eq(folder_open_file(directory, "f", "small/x", &file, &meeting.err),
                 STATUS_UNAVAILABLE);
    cr_expect_null(file);
    cr_expect_eq(folder_open_file(directory, "f", "loop", &file, &meeting.err),
                 STATUS_IO);
    cr_expect_null(file);
    cr_expect_str_eq(meeting.err.text,
                     "cannot open f/loop: Too many levels of symbolic links");
    cr_expect_eq(folder_read_file(directory, "f", "none", 5, &content, &meeting.err),
                 STATUS_NOT_FOUND);
    cr_expect_eq(folder_read_file(directory, "f", "folder", 5, &content, &meeting.err),
                 STATUS_IO);
    cr_expect_eq(folder_read_file(directory, "f", "small", 4, &content, &meeting.err),
                 STATUS_REFUSED);
    OK(folder_read_file(directory, "f", "small", 5, &content, &meeting.err));
    cr_expect_eq(content.size, 5);
    buffer_release(&content);
    (void)close(directory);
}

/* A draft whose file is another one: its sync fails so. */
static enum status sync_draft_to(const char *path, const char *mode)
{
    struct folder_draft draft;
    int directory = open_shared();
    enum status status;
    uint64_t print;

    OK(folder_draft_start(&draft, directory, "f", state_name(a), &meeting.err));
    cr_assert_not_null(freopen(path, mode, draft.file));
    (void)fputs("a state", draft.file);
    status = folder_draft_sync(&draft, &meeting.err);
    folder_draft_drop(&draft);
    folder_draft_drop(&draft);
    cr_expect_eq(look_at_shared(&print), 0, "nothing is left");
    (void)close(directory);
    return status;
}

Test(folder, whose_drafts_can_not_be_synced)
{
    cr_expect_eq(sync_draft_to("/dev/full", "w"), STATUS_FULL);
    cr_expect_not_null(strstr(meeting.err.text, "make room there"));
    cr_expect_eq(sync_draft_to("/dev/null", "w"), STATUS_IO); /* it has no disk */
}

Test(folder, where_no_draft_can_be_started)
{
    struct folder_draft draft;
    int directory = open_shared();
    uint64_t print;

    cr_assert_eq(rmdir(meeting.shared), 0);
    cr_expect_eq(folder_draft_start(&draft, directory, "f", "x", &meeting.err),
                 STATUS_UNAVAILABLE);
    cr_expect_null(draft.file);
    folder_draft_drop(&draft);
    cr_assert_eq(mkdir(meeting.shared, 0700), 0);
    cr_expect_eq(look_at_shared(&print), 0);
    (void)close(directory);
}

Test(folder, read_by_two_nodes_at_once)
{
    struct transport *one, *other;

    log_write(a, 1, "one", NULL);
    visit(a);
    OK(folder_open(&one, meeting.shared, b->store, &meeting.err));
    OK(folder_open(&other, meeting.shared, c->store, &meeting.err));
    OK(one->ops->receive(one, &meeting.counts, NULL, NULL, &meeting.err));
    OK(other->ops->receive(other, &meeting.counts, NULL, NULL, &meeting.err));
    OK(other->ops->send(other, &meeting.counts, &meeting.err));
    OK(one->ops->send(one, &meeting.counts, &meeting.err));
    one->ops->close(one);
    other->ops->close(other);
    visit(b);
    visit(c);
    visit(a);
    cr_expect(logs_equal(a, b));
    cr_expect(logs_equal(a, c));
}
