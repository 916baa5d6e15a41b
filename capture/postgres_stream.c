#include "capture/postgres_stream.h"

#include "capture/replication_frame.h"
#include "capture/socket_wait.h"
#include "engine/lsn.h"
#include "engine/postgres_connection.h"
#include "engine/postgres_slot.h"
#include "log/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FEEDBACK_MS = 10000, /* or a third of the server's patience */
    CONFIRM_MS = 1000,
    CLOSE_MS = 2000
};

struct postgres_stream {
    struct postgres *postgres;
    struct socket_wait *wait;
    char *slot;
    char *frame;         /* libpq's, of the message told last */
    bool is_live;        /* the server streams, as far as we know */
    bool in_transaction; /* BEGIN was told, COMMIT not yet */
    uint64_t told_lsn;   /* all below it was told */
    uint64_t confirmed_lsn;
    uint64_t reported_lsn; /* what the server knows of that */
    uint64_t reported_ms;  /* when it was told last */
    uint64_t feedback_ms;
    bool answer_due;
    bool question_due;
};

static int64_t now_unix_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- what the server is told */

/* What libpq can't take now stays due. */
static void report(struct postgres_stream *stream)
{
    PGconn *handle = postgres_handle(stream->postgres);
    struct replication_status status = {
        .received_lsn = stream->told_lsn,
        .durable_lsn = stream->confirmed_lsn,
        .sent_us = now_unix_us(),
        .reply_wanted = stream->question_due,
    };
    uint8_t frame[REPLICATION_STATUS_SIZE];

    if (!stream->is_live)
        return;
    replication_status_encode(&status, frame);
    if (PQputCopyData(handle, (const char *)frame, sizeof frame) != 1)
        return;
    (void)PQflush(handle);
    stream->reported_ms = socket_wait_now_ms();
    stream->reported_lsn = stream->confirmed_lsn;
    stream->answer_due = false;
    stream->question_due = false;
}

void postgres_stream_tick(struct postgres_stream *stream)
{
    uint64_t patience_ms =
        stream->confirmed_lsn > stream->reported_lsn && stream->feedback_ms > CONFIRM_MS
            ? CONFIRM_MS
            : stream->feedback_ms;

    if (stream->answer_due || stream->question_due ||
        socket_wait_now_ms() - stream->reported_ms >= patience_ms)
        report(stream);
}

void postgres_stream_confirm(struct postgres_stream *stream, uint64_t lsn)
{
    assert(lsn <= stream->told_lsn);
    if (lsn > stream->confirmed_lsn)
        stream->confirmed_lsn = lsn;
}

uint64_t postgres_stream_confirmed(const struct postgres_stream *stream)
{
    return stream->confirmed_lsn;
}

void postgres_stream_ask(struct postgres_stream *stream)
{
    stream->question_due = true;
}

void postgres_stream_wake(struct postgres_stream *stream)
{
    socket_wait_wake(stream->wait);
}

/* ---- what the server says */

static bool state_is(const PGresult *result, const char *state)
{
    return strncmp(postgres_sqlstate(result), state, strlen(state)) == 0;
}

/* Turn what ended or prevented the stream into a code. result: NULL when the connection
 * broke. */
static enum status ended(struct postgres_stream *stream, const PGresult *result,
                         struct error *err)
{
    enum status status = postgres_failed(stream->postgres, result, stream->slot, err);
    struct error said = *err;

    stream->is_live = false;
    if (PQresultStatus(result) == PGRES_COMMAND_OK ||
        PQresultStatus(result) == PGRES_COPY_IN) {
        return error_set(err, STATUS_UNAVAILABLE, "%s: the server has ended the stream",
                         stream->slot);
    }
    if (state_is(result, "42704") || state_is(result, "55000")) {
        return error_set(err, STATUS_REFUSED, "%s; if it is lost, " POSTGRES_RESYNC,
                         said.text);
    }
    return postgres_sqlstate(result)[0] == '\0' || state_is(result, "57P") ||
                   state_is(result, "08")
               ? STATUS_UNAVAILABLE
               : status;
}

/* The copy is over: learn why. */
static enum status end_copy(struct postgres_stream *stream, struct error *err)
{
    PGresult *result;
    enum status status;

    if (!stream->is_live)
        return error_set(err, STATUS_UNAVAILABLE, "%s: the stream has ended before",
                         stream->slot);
    result = PQgetResult(postgres_handle(stream->postgres));
    status = ended(stream, result, err);
    PQclear(result);
    return status;
}

static bool take_keepalive(struct postgres_stream *stream,
                           const struct replication_frame *frame,
                           struct postgres_stream_item *item)
{
    stream->answer_due = stream->answer_due || frame->reply_wanted;
    if (stream->in_transaction)
        return false;
    /* One that was sent beside a COMMIT says where the server stood before it. */
    if (frame->wal_end > stream->told_lsn)
        stream->told_lsn = frame->wal_end;
    item->event = POSTGRES_STREAM_CAUGHT_UP;
    item->lsn = stream->told_lsn;
    item->answer_wanted = frame->reply_wanted;
    return true;
}

static bool take_message(struct postgres_stream *stream,
                         struct postgres_stream_item *item)
{
    const struct pgoutput_message *message = &item->message;

    if (message->kind == PGOUTPUT_STREAM_ABORT)
        return false;
    if (message->kind == PGOUTPUT_BEGIN)
        stream->in_transaction = true;
    if (message->kind == PGOUTPUT_COMMIT) {
        stream->in_transaction = false;
        if (message->commit.end_lsn > stream->told_lsn)
            stream->told_lsn = message->commit.end_lsn;
    }
    item->event = POSTGRES_STREAM_MESSAGE;
    return true;
}

/* *is_item: the frame is one for the caller. */
static enum status take_frame(struct postgres_stream *stream, struct bytes bytes,
                              struct postgres_stream_item *item, bool *is_item,
                              struct error *err)
{
    struct replication_frame frame;
    enum status status = replication_frame_decode(bytes, &frame, err);

    *is_item = false;
    if (status == STATUS_OK && frame.kind == REPLICATION_KEEPALIVE) {
        *is_item = take_keepalive(stream, &frame, item);
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = pgoutput_decode(frame.content, &item->message, err);
    if (status == STATUS_OK)
        *is_item = take_message(stream, item);
    return status == STATUS_OK ? status : error_wrap(err, status, stream->slot);
}

static void drop_frame(struct postgres_stream *stream)
{
    PQfreemem(stream->frame);
    stream->frame = NULL;
}

static uint64_t later_ms(uint64_t wait_ms)
{
    uint64_t now = socket_wait_now_ms();

    return wait_ms > UINT64_MAX - now ? UINT64_MAX : now + wait_ms;
}

/* Wait for the socket, until until_ms. */
static enum status wait_until(struct postgres_stream *stream, uint64_t until_ms,
                              enum socket_wait_end *end, struct error *err)
{
    PGconn *handle = postgres_handle(stream->postgres);
    bool is_unsent = PQflush(handle) > 0; /* a failure is found by reading */

    if (PQsocket(handle) < 0) /* its number may be another's by now */
        return ended(stream, NULL, err);
    return socket_wait_run(stream->wait, is_unsent, until_ms, end, err);
}

/* Wait for more, when there is time left; tell what is due first. *is_over: there is no
 * time left. */
static enum status wait_more(struct postgres_stream *stream, uint64_t until_ms,
                             bool *is_over, struct error *err)
{
    uint64_t report_ms = stream->reported_ms + stream->feedback_ms;
    enum socket_wait_end end = SOCKET_WAIT_READY;
    enum status status = STATUS_OK;

    if (stream->confirmed_lsn > stream->reported_lsn)
        report(stream);
    *is_over = socket_wait_now_ms() >= until_ms;
    if (!*is_over)
        status =
            wait_until(stream, report_ms < until_ms ? report_ms : until_ms, &end, err);
    *is_over = *is_over || end == SOCKET_WAIT_WOKEN;
    return status;
}

enum status postgres_stream_next(struct postgres_stream *stream, uint64_t wait_ms,
                                 struct postgres_stream_item *item, struct error *err)
{
    PGconn *handle = postgres_handle(stream->postgres);
    uint64_t until_ms = 0; /* looked at only when there is nothing */
    bool is_over = false;
    bool is_item = false;
    bool has_read = false;
    enum status status = STATUS_OK;

    *item = (struct postgres_stream_item){.event = POSTGRES_STREAM_NOTHING};
    while (status == STATUS_OK && !is_over && !is_item) {
        int size;

        drop_frame(stream);
        postgres_stream_tick(stream);
        size = stream->is_live ? PQgetCopyData(handle, &stream->frame, 1) : -1;
        if (size > 0) {
            struct bytes bytes = {(const uint8_t *)stream->frame, (size_t)size};

            status = take_frame(stream, bytes, item, &is_item, err);
        } else if (size < 0) {
            status = end_copy(stream, err);
        } else if (!has_read) {
            has_read = true;
            if (PQconsumeInput(handle) == 0)
                status = ended(stream, NULL, err);
        } else {
            if (until_ms == 0)
                until_ms = later_ms(wait_ms);
            status = wait_more(stream, until_ms, &is_over, err);
            has_read = false;
        }
    }
    return status;
}

/* ---- opening and closing */

/* Read what the server still sends, until it has let go of the slot. */
static void finish(struct postgres_stream *stream)
{
    PGconn *handle = postgres_handle(stream->postgres);
    uint64_t until_ms = later_ms(CLOSE_MS);
    enum socket_wait_end end;
    bool is_copying = true;
    struct error err;

    report(stream);
    (void)PQputCopyEnd(handle, NULL);
    while (socket_wait_now_ms() < until_ms) {
        int size = 0;

        drop_frame(stream);
        if (is_copying)
            size = PQgetCopyData(handle, &stream->frame, 1);
        if (size > 0)
            continue;
        is_copying = is_copying && size == 0;
        if (!is_copying && PQisBusy(handle) == 0) {
            PGresult *result = PQgetResult(handle);

            PQclear(result);
            if (result == NULL)
                return;
        } else if (wait_until(stream, until_ms, &end, &err) != STATUS_OK ||
                   PQconsumeInput(handle) == 0) {
            return;
        }
    }
}

void postgres_stream_close(struct postgres_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->is_live)
        finish(stream);
    drop_frame(stream);
    socket_wait_close(stream->wait); /* before the socket */
    postgres_close(stream->postgres);
    free(stream->slot);
    free(stream);
}

static enum status start(struct postgres_stream *stream, const char *publication,
                         uint64_t start_lsn, struct error *err)
{
    PGconn *handle = postgres_handle(stream->postgres);
    struct buffer sql = {0};
    struct buffer name = {0};
    PGresult *result = NULL;
    enum status status;

    postgres_put_name(&name, publication);
    buffer_put(&name, '\0', 1);
    buffer_put_bytes(&sql, bytes_of_text("START_REPLICATION SLOT "));
    postgres_put_name(&sql, stream->slot);
    buffer_put_bytes(&sql, bytes_of_text(" LOGICAL "));
    buffer_put_bytes(&sql, bytes_of_text(lsn_format(start_lsn).text));
    buffer_put_bytes(
        &sql, bytes_of_text(" (proto_version '1', messages 'true', publication_names "));
    status = buffer_check(&name, err);
    if (status == STATUS_OK)
        postgres_put_literal(&sql, (const char *)name.data);
    buffer_put_bytes(&sql, bytes_of_text(")"));
    buffer_put(&sql, '\0', 1);
    if (status == STATUS_OK)
        status = buffer_check(&sql, err);
    if (status == STATUS_OK) {
        result = PQexec(handle, (const char *)sql.data);
        if (PQresultStatus(result) != PGRES_COPY_BOTH)
            status = ended(stream, result, err);
    }
    PQclear(result);
    buffer_release(&name);
    buffer_release(&sql);
    return status;
}

/* The server tells how long it waits for a word from us; 0: for ever. */
static enum status learn_patience(struct postgres_stream *stream, struct error *err)
{
    int64_t timeout_ms = 0;
    enum status status = postgres_number(
        stream->postgres,
        "SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'", &timeout_ms,
        err);

    stream->feedback_ms = FEEDBACK_MS;
    if (timeout_ms > 0 && timeout_ms / 3 < FEEDBACK_MS)
        stream->feedback_ms = (uint64_t)timeout_ms / 3;
    return status;
}

static enum status connect_stream(struct postgres_stream *stream, const char *publication,
                                  uint64_t start_lsn, struct error *err)
{
    enum status status = learn_patience(stream, err);

    if (status == STATUS_OK)
        status = socket_wait_open(&stream->wait,
                                  PQsocket(postgres_handle(stream->postgres)), err);
    if (status == STATUS_OK)
        status = start(stream, publication, start_lsn, err);
    if (status != STATUS_OK)
        return status;
    (void)PQsetnonblocking(postgres_handle(stream->postgres), 1);
    stream->is_live = true;
    stream->told_lsn = start_lsn;
    stream->confirmed_lsn = start_lsn;
    report(stream);
    return STATUS_OK;
}

enum status postgres_stream_open(struct postgres_stream **out, const char *url,
                                 const char *slot, const char *publication,
                                 uint64_t start_lsn, struct error *err)
{
    struct postgres_stream *stream = calloc(1, sizeof *stream);
    enum status status;

    *out = NULL;
    if (stream == NULL || (stream->slot = strdup(slot)) == NULL) {
        free(stream);
        return error_set(err, STATUS_NO_MEMORY, "stream: out of memory");
    }
    status = postgres_open(&stream->postgres, url, POSTGRES_REPLICATION, err);
    if (status == STATUS_OK)
        status = connect_stream(stream, publication, start_lsn, err);
    if (status != STATUS_OK) {
        postgres_stream_close(stream);
        return status;
    }
    *out = stream;
    return STATUS_OK;
}
