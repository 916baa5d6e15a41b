/* Frames of the replication protocol and the messages inside: every view lies in the
 * input, ends with it, and is walked without a failure. */
#include "capture/pgoutput.h"
#include "capture/replication_frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void touch(struct bytes view)
{
    for (size_t i = 0; i < view.size; i++)
        sink = view.data[i];
}

static void touch_text(const char *text)
{
    touch(bytes_of_text(text));
}

static void walk_tuple(const struct pgoutput_tuple *tuple)
{
    struct bytes rest = tuple->columns;
    struct pgoutput_value value;
    size_t count = 0;

    for (; pgoutput_take_value(&rest, &value); count++)
        touch(value.data);
    if (count != tuple->column_count)
        abort();
}

static void walk_relation(const struct pgoutput_message *message)
{
    struct bytes rest = message->relation.columns;
    struct pgoutput_column column;
    size_t count = 0;

    touch_text(message->relation.schema);
    touch_text(message->relation.name);
    for (; pgoutput_take_column(&rest, &column); count++)
        touch_text(column.name);
    if (count != message->relation.column_count)
        abort();
}

static void walk_truncate(const struct pgoutput_message *message)
{
    struct bytes rest = message->truncate.relations;
    size_t count = 0;
    uint32_t oid;

    while (pgoutput_take_relation(&rest, &oid))
        count++;
    if (count != message->truncate.relation_count || count == 0)
        abort();
}

static void walk(const struct pgoutput_message *message)
{
    switch (message->kind) {
    case PGOUTPUT_ORIGIN:
        touch_text(message->origin.name);
        break;
    case PGOUTPUT_RELATION:
        walk_relation(message);
        break;
    case PGOUTPUT_TYPE:
        touch_text(message->type.schema);
        touch_text(message->type.name);
        break;
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        walk_tuple(&message->row.before);
        walk_tuple(&message->row.after);
        break;
    case PGOUTPUT_TRUNCATE:
        walk_truncate(message);
        break;
    case PGOUTPUT_MESSAGE:
        touch_text(message->message.prefix);
        touch(message->message.content);
        break;
    case PGOUTPUT_STREAM_ABORT:
        touch(message->stream_abort.place);
        break;
    case PGOUTPUT_BEGIN:
    case PGOUTPUT_COMMIT:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes content = {data, size};
    struct replication_frame frame;
    struct pgoutput_message message;
    struct error err;

    if (replication_frame_decode(content, &frame, &err) == STATUS_OK)
        content = frame.content;
    if (pgoutput_decode(content, &message, &err) == STATUS_OK)
        walk(&message);
    return 0;
}
