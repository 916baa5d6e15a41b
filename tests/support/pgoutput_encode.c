#include "tests/support/pgoutput_encode.h"

#include "capture/replication_frame.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void put_text(struct buffer *out, const char *text)
{
    buffer_put_bytes(out, (struct bytes){(const uint8_t *)text, strlen(text) + 1});
}

static void put_time(struct buffer *out, int64_t unix_us)
{
    buffer_put(out, replication_time_put(unix_us), 8);
}

static void put_tuple(struct buffer *out, const struct pgoutput_tuple *tuple)
{
    struct bytes rest = tuple->columns;
    struct pgoutput_value value;

    buffer_put(out, tuple->column_count, 2);
    while (pgoutput_take_value(&rest, &value)) {
        buffer_put(out, value.kind, 1);
        if (value.kind != PGOUTPUT_TEXT && value.kind != PGOUTPUT_BINARY)
            continue;
        buffer_put(out, value.data.size, 4);
        buffer_put_bytes(out, value.data);
    }
}

static void put_row(struct buffer *out, const struct pgoutput_message *message)
{
    buffer_put(out, message->row.relation, 4);
    if (message->row.old_kind != PGOUTPUT_OLD_NONE) {
        buffer_put(out, message->row.old_kind == PGOUTPUT_OLD_KEY ? 'K' : 'O', 1);
        put_tuple(out, &message->row.before);
    }
    if (message->kind != PGOUTPUT_DELETE) {
        buffer_put(out, 'N', 1);
        put_tuple(out, &message->row.after);
    }
}

static void put_relation(struct buffer *out, const struct pgoutput_message *message)
{
    struct bytes rest = message->relation.columns;
    struct pgoutput_column column;

    buffer_put(out, message->relation.oid, 4);
    put_text(out, message->relation.schema);
    put_text(out, message->relation.name);
    buffer_put(out, message->relation.identity, 1);
    buffer_put(out, message->relation.column_count, 2);
    while (pgoutput_take_column(&rest, &column)) {
        buffer_put(out, column.in_identity, 1);
        put_text(out, column.name);
        buffer_put(out, column.type, 4);
        buffer_put(out, (uint32_t)column.type_modifier, 4);
    }
}

static void put_truncate(struct buffer *out, const struct pgoutput_message *message)
{
    struct bytes rest = message->truncate.relations;
    uint32_t oid;

    buffer_put(out, message->truncate.relation_count, 4);
    buffer_put(out,
               (message->truncate.cascade ? 1U : 0U) |
                   (message->truncate.restart_identity ? 2U : 0U),
               1);
    while (pgoutput_take_relation(&rest, &oid))
        buffer_put(out, oid, 4);
}

static void put_message(struct buffer *out, const struct pgoutput_message *message)
{
    buffer_put(out, message->message.transactional, 1);
    buffer_put(out, message->message.lsn, 8);
    put_text(out, message->message.prefix);
    buffer_put(out, message->message.content.size, 4);
    buffer_put_bytes(out, message->message.content);
}

static void put_begin(struct buffer *out, const struct pgoutput_message *message)
{
    buffer_put(out, message->begin.final_lsn, 8);
    put_time(out, message->begin.commit_us);
    buffer_put(out, message->begin.xid, 4);
}

static void put_commit(struct buffer *out, const struct pgoutput_message *message)
{
    buffer_put(out, 0, 1);
    buffer_put(out, message->commit.commit_lsn, 8);
    buffer_put(out, message->commit.end_lsn, 8);
    put_time(out, message->commit.commit_us);
}

void pgoutput_encode(struct buffer *out, const struct pgoutput_message *message)
{
    buffer_put(out, message->kind, 1);
    switch (message->kind) {
    case PGOUTPUT_BEGIN:
        put_begin(out, message);
        break;
    case PGOUTPUT_COMMIT:
        put_commit(out, message);
        break;
    case PGOUTPUT_ORIGIN:
        buffer_put(out, message->origin.lsn, 8);
        put_text(out, message->origin.name);
        break;
    case PGOUTPUT_RELATION:
        put_relation(out, message);
        break;
    case PGOUTPUT_TYPE:
        buffer_put(out, message->type.oid, 4);
        put_text(out, message->type.schema);
        put_text(out, message->type.name);
        break;
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        put_row(out, message);
        break;
    case PGOUTPUT_TRUNCATE:
        put_truncate(out, message);
        break;
    case PGOUTPUT_MESSAGE:
        put_message(out, message);
        break;
    case PGOUTPUT_STREAM_ABORT:
        buffer_put(out, message->stream_abort.xid, 4);
        buffer_put(out, message->stream_abort.subxid, 4);
        buffer_put_bytes(out, message->stream_abort.place);
        break;
    }
}

static unsigned digit_of(char digit)
{
    return isdigit((unsigned char)digit) ? (unsigned)(digit - '0')
                                         : (unsigned)(digit - 'a') + 10;
}

void hex_put(struct buffer *out, const char *hex)
{
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ')
            continue;
        buffer_put(out, digit_of(hex[0]) << 4 | digit_of(hex[1]), 1);
        hex++;
    }
}
