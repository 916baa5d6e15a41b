/* A stream from a real server; one of them for all, since they start slowly. */
#include "capture/postgres_stream.h"
#include "engine/postgres_publication.h"
#include "engine/postgres_slot.h"
#include "log/buffer.h"
#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

enum { LONG_MS = 30000 };

static struct cluster cluster;
static struct postgres *plain;
static struct postgres_stream *stream;
static struct postgres_stream_item item;
static struct error err;

static void set_up(void)
{
    struct postgres *replication;
    struct postgres_slot_start start;
    static const char *const table = "public.t";

    cluster_start(&cluster, NULL);
    cr_assert_eq(postgres_open(&plain, cluster.url, POSTGRES_WRITE, &err), STATUS_OK);
    cluster_run(&cluster, "CREATE TABLE t (a int PRIMARY KEY, b text);"
                          "CREATE TABLE other (a int)");
    cluster_run(&cluster, "CREATE DATABASE beside");
    cr_assert_eq(postgres_publication_create(plain, "p \"'q", &table, 1, false, &err),
                 STATUS_OK, "%s", err.text);
    cr_assert_eq(postgres_open(&replication, cluster.url, POSTGRES_REPLICATION, &err),
                 STATUS_OK);
    cr_assert_eq(postgres_slot_create(replication, "s", &start, &err), STATUS_OK, "%s",
                 err.text);
    postgres_close(replication);
}

static void tear_down(void)
{
    postgres_stream_close(stream);
    postgres_close(plain);
    cluster_stop(&cluster);
}

static void run(const char *sql)
{
    cr_assert_eq(postgres_execute(plain, sql, &err), STATUS_OK, "%s", err.text);
}

static uint64_t slot_confirmed(void)
{
    struct postgres_slot slot;

    cr_assert_eq(postgres_slot_read(plain, "s", &slot, &err), STATUS_OK, "%s", err.text);
    return slot.confirmed_lsn;
}

static void begin(uint64_t start_lsn)
{
    cr_assert_eq(
        postgres_stream_open(&stream, cluster.url, "s", "p \"'q", start_lsn, &err),
        STATUS_OK, "%s", err.text);
}

static void end(void)
{
    postgres_stream_close(stream);
    stream = NULL;
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void next(uint64_t wait_ms)
{
    cr_assert_eq(postgres_stream_next(stream, wait_ms, &item, &err), STATUS_OK, "%s",
                 err.text);
}

static enum status next_failure(void)
{
    enum status status;

    do
        status = postgres_stream_next(stream, LONG_MS, &item, &err);
    while (status == STATUS_OK && item.event != POSTGRES_STREAM_NOTHING);
    return status;
}

/* The kinds of the messages up to `commits` COMMITs; returns the last one's end_lsn. */
static uint64_t expect_messages(const char *kinds, size_t commits)
{
    struct buffer found = {0};
    uint64_t end_lsn = 0;

    while (commits > 0) {
        next(LONG_MS);
        cr_assert_neq(item.event, POSTGRES_STREAM_NOTHING, "%s", kinds);
        if (item.event != POSTGRES_STREAM_MESSAGE)
            continue;
        buffer_put(&found, item.message.kind, 1);
        if (item.message.kind != PGOUTPUT_COMMIT)
            continue;
        end_lsn = item.message.commit.end_lsn;
        commits--;
    }
    cr_expect(bytes_equal(buffer_view(&found), bytes_of_text(kinds)), "%.*s for %s",
              (int)found.size, (const char *)found.data, kinds);
    buffer_release(&found);
    return end_lsn;
}

/* Until the server says that all below lsn was told. No message may come before. */
static void expect_caught_up(uint64_t lsn)
{
    do {
        next(LONG_MS);
        cr_assert_eq(item.event, POSTGRES_STREAM_CAUGHT_UP);
    } while (item.lsn < lsn);
}

static void expect_transactions_once(void)
{
    uint64_t start_lsn = slot_confirmed();
    uint64_t first_lsn, last_lsn;

    begin(start_lsn);
    run("INSERT INTO public.t VALUES (1, 'one'), (2, 'two')");
    run("BEGIN; SELECT pg_logical_emit_message(true, 'x', 'y');"
        "UPDATE public.t SET a = 3 WHERE a = 1; DELETE FROM public.t; COMMIT");
    first_lsn = expect_messages("BRIIC", 1);
    last_lsn = expect_messages("BMUDDC", 1);
    expect_caught_up(last_lsn);
    next(0);
    cr_expect_eq(item.event, POSTGRES_STREAM_NOTHING);
    cr_expect_eq(postgres_stream_confirmed(stream), start_lsn);
    end();

    begin(start_lsn);
    cr_expect_eq(expect_messages("BRIIC", 1), first_lsn);
    postgres_stream_confirm(stream, first_lsn);
    end();
    cr_expect_eq(slot_confirmed(), first_lsn);

    begin(start_lsn); /* behind the slot: the server goes on where that is */
    cr_expect_eq(expect_messages("BMRUDDC", 1), last_lsn);
    postgres_stream_confirm(stream, last_lsn);
    postgres_stream_confirm(stream, first_lsn);
    cr_expect_eq(postgres_stream_confirmed(stream), last_lsn);
    end();
    cr_expect_eq(slot_confirmed(), last_lsn);
}

static void execute_beside(const char *sql)
{
    char url[sizeof cluster.url];
    struct postgres *beside;
    const char *name = strstr(cluster.url, "/test?");

    cr_assert_not_null(name);
    (void)snprintf(url, sizeof url, "%.*s/beside%s", (int)(name - cluster.url),
                   cluster.url, name + strlen("/test"));
    cr_assert_eq(postgres_open(&beside, url, POSTGRES_WRITE, &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(postgres_execute(beside, sql, &err), STATUS_OK, "%s", err.text);
    postgres_close(beside);
}

/* What happens in another database, or to a table that is not published, moves the slot.
 */
static void expect_idle_slot_moves(void)
{
    uint64_t before = slot_confirmed();

    begin(before);
    run("INSERT INTO public.other VALUES (1)");
    expect_caught_up(before + 1);
    execute_beside(
        "CREATE TABLE public.t (a int PRIMARY KEY); INSERT INTO public.t VALUES (1)");
    run("SELECT pg_switch_wal()");
    expect_caught_up(before + (1 << 20));
    postgres_stream_confirm(stream, item.lsn);
    postgres_stream_ask(stream);
    expect_caught_up(item.lsn); /* the answer: the server has read what we told */
    cr_expect_geq(slot_confirmed(), before + (1 << 20));
    end();
}

static void expect_wake_ends_the_wait(void)
{
    begin(slot_confirmed());
    while (item.event != POSTGRES_STREAM_NOTHING)
        next(100);
    postgres_stream_wake(stream);
    next(UINT64_MAX);
    cr_expect_eq(item.event, POSTGRES_STREAM_NOTHING);
    end();
}

/* The server's patience is over while the caller does not read: without tick it would end
 * the stream. It is over once more while the caller waits. */
static void expect_tick_keeps_it_alive(void)
{
    char url[sizeof cluster.url + 64];
    PGconn *handle = postgres_handle(plain);
    PGresult *result;
    uint64_t until_ms;

    (void)snprintf(url, sizeof url, "%s&options=-c%%20wal_sender_timeout%%3D600ms",
                   cluster.url);
    cr_assert_eq(
        postgres_stream_open(&stream, url, "s", "p \"'q", slot_confirmed(), &err),
        STATUS_OK, "%s", err.text);
    for (int i = 0; i < 16; i++) {
        result = PQexec(handle, "SELECT pg_sleep(0.05)");
        cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK);
        PQclear(result);
        postgres_stream_tick(stream);
    }
    for (until_ms = clock_ms() + 800; clock_ms() < until_ms;)
        next(until_ms - clock_ms());
    run("INSERT INTO public.t VALUES (7, 'seven')");
    postgres_stream_confirm(stream, expect_messages("BRIC", 1));
    end();
}

static void expect_open_refused(const char *slot, enum status wanted, const char *saying)
{
    struct postgres_stream *other = stream;

    cr_expect_eq(postgres_stream_open(&other, cluster.url, slot, "p \"'q", 1, &err),
                 wanted, "%s", err.text);
    cr_expect_not_null(strstr(err.text, saying), "%s", err.text);
    cr_expect_null(other);
}

static void expect_refusals(void)
{
    expect_open_refused("none", STATUS_REFUSED, "rowferry resync");
    run("SELECT pg_create_physical_replication_slot('physical')");
    expect_open_refused("physical", STATUS_REFUSED, "physical");
    begin(slot_confirmed());
    expect_open_refused("s", STATUS_BUSY, "is active for PID");
    end();
}

static void expect_missing_publication_refused(void)
{
    cr_assert_eq(
        postgres_stream_open(&stream, cluster.url, "s", "none", slot_confirmed(), &err),
        STATUS_OK, "%s", err.text);
    run("INSERT INTO public.t VALUES (8, 'eight')");
    cr_expect_eq(next_failure(), STATUS_REFUSED, "%s", err.text);
    cr_expect_not_null(strstr(err.text, "\"none\" does not exist"), "%s", err.text);
    end();
    begin(slot_confirmed());
    postgres_stream_confirm(stream, expect_messages("BRIC", 1));
    end();
}

static void expect_lost_connection_told(void)
{
    begin(slot_confirmed());
    run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
        " WHERE slot_name = 's'");
    cr_expect_eq(next_failure(), STATUS_UNAVAILABLE, "%s", err.text);
    cr_expect_eq(next_failure(), STATUS_UNAVAILABLE, "%s", err.text);
    end();
}

/* Closing in the middle of a transaction, which is then told anew. The server answers us
 * in the middle of it, too: that is no catching up. */
static void expect_close_in_mid_transaction(void)
{
    uint64_t before = slot_confirmed();

    begin(before);
    run("INSERT INTO public.t SELECT i, repeat('x', 1000)"
        " FROM generate_series(1000, 5999) i");
    do
        next(LONG_MS);
    while (item.event != POSTGRES_STREAM_MESSAGE || item.message.kind != PGOUTPUT_INSERT);
    end();
    cr_expect_eq(slot_confirmed(), before);
    begin(before);
    do
        next(LONG_MS);
    while (item.event != POSTGRES_STREAM_MESSAGE);
    while (item.message.kind != PGOUTPUT_COMMIT) {
        postgres_stream_ask(stream);
        next(LONG_MS);
        cr_assert_eq(item.event, POSTGRES_STREAM_MESSAGE);
    }
    postgres_stream_confirm(stream, item.message.commit.end_lsn);
    end();
}

/* A server that stops waits until all that it sent is confirmed: `wanted` says so. */
static void expect_stopping_server_is_let_go(void)
{
    char answer[16];

    begin(slot_confirmed());
    postgres_stream_ask(stream);
    expect_caught_up(slot_confirmed());
    cr_assert_gt(fprintf(cluster.orders, "stop fast\n"), 0);
    cr_assert_eq(fflush(cluster.orders), 0);
    while (postgres_stream_next(stream, LONG_MS, &item, &err) == STATUS_OK)
        if (item.event == POSTGRES_STREAM_CAUGHT_UP && item.answer_wanted)
            postgres_stream_confirm(stream, item.lsn);
    cr_expect_not_null(fgets(answer, sizeof answer, cluster.answers));
    cr_expect_eq(postgres_stream_next(stream, 0, &item, &err), STATUS_UNAVAILABLE, "%s",
                 err.text);
    end();
    expect_open_refused("s", STATUS_UNAVAILABLE, "rowferry");
}

Test(postgres_stream, tells_all_once_and_lets_the_server_go, .init = set_up,
     .fini = tear_down)
{
    expect_transactions_once();
    expect_idle_slot_moves();
    expect_wake_ends_the_wait();
    expect_tick_keeps_it_alive();
    expect_refusals();
    expect_missing_publication_refused();
    expect_lost_connection_told();
    expect_close_in_mid_transaction();
    expect_stopping_server_is_let_go();
}
