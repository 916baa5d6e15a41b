#include "capture/pgoutput.h"

#include "capture/replication_frame.h"

#include <assert.h>
#include <string.h>

/* The messages, each behind a byte that is its kind. Integers are big-endian, a text ends
 * with a NUL, times are microseconds since 2000.
 *
 *  begin         8 final_lsn, 8 time, 4 xid
 *  commit        1 flags = 0, 8 commit_lsn, 8 end_lsn, 8 time
 *  origin        8 lsn, text name
 *  relation      4 oid, text schema, text name, 1 identity, 2 count, columns:
 *                1 flags (1 = in the identity), text name, 4 type, 4 modifier
 *  type          4 oid, text schema, text name
 *  insert        4 relation, 'N', tuple
 *  update        4 relation, optionally 'K' or 'O' and a tuple, 'N', tuple
 *  delete        4 relation, 'K' or 'O', tuple
 *  truncate      4 count, 1 flags (1 = cascade, 2 = restart identity), 4 each relation
 *  message       1 flags (1 = transactional), 8 lsn, text prefix, 4 size, content
 *  stream abort  4 xid, 4 subxid; under protocol 4 also 8 lsn, 8 time
 *  tuple         2 count, values: 1 kind; of 't' and 'b' 4 size and as many bytes
 *
 * Counts and sizes are signed there: a negative one is larger than what is left. */
enum { IN_IDENTITY = 1, CASCADE = 1, RESTART_IDENTITY = 2, TRANSACTIONAL = 1 };
enum { COUNT_MAX = INT16_MAX, PLACE_SIZE = 16 };

/* The parts below return what is wrong, or NULL. */
static const char cut[] = "is cut short";
static const char flagged[] = "has unknown flags";

static bool take_u32(struct bytes *in, uint32_t *out)
{
    uint64_t value;

    if (!bytes_take(in, 4, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool take_text(struct bytes *in, const char **out)
{
    const uint8_t *end = in->size == 0 ? NULL : memchr(in->data, '\0', in->size);
    struct bytes text;

    if (end == NULL)
        return false;
    *out = (const char *)in->data;
    return bytes_take_view(in, (uint64_t)(end - in->data) + 1, &text);
}

static const char *take_time(struct bytes *in, int64_t *unix_us)
{
    uint64_t wire;

    if (!bytes_take(in, 8, &wire))
        return cut;
    return replication_time_take(wire, unix_us) ? NULL : "has an impossible time";
}

static const char *take_value(struct bytes *in, struct pgoutput_value *out)
{
    uint64_t kind, size;

    if (!bytes_take(in, 1, &kind))
        return cut;
    out->kind = (enum pgoutput_value_kind)kind;
    out->data = (struct bytes){NULL, 0};
    switch (kind) {
    case PGOUTPUT_NULL:
    case PGOUTPUT_UNCHANGED:
        return NULL;
    case PGOUTPUT_TEXT:
    case PGOUTPUT_BINARY:
        return bytes_take(in, 4, &size) && bytes_take_view(in, size, &out->data) ? NULL
                                                                                 : cut;
    default:
        return "has a value of unknown kind";
    }
}

static const char *take_column(struct bytes *in, struct pgoutput_column *out)
{
    uint64_t flags;
    uint32_t modifier;

    if (!bytes_take(in, 1, &flags) || !take_text(in, &out->name) ||
        !take_u32(in, &out->type) || !take_u32(in, &modifier))
        return cut;
    if (flags > IN_IDENTITY)
        return flagged;
    out->in_identity = flags == IN_IDENTITY;
    out->type_modifier = (int32_t)modifier;
    return NULL;
}

static const char *take_count(struct bytes *in, uint16_t *count)
{
    uint64_t value;

    if (!bytes_take(in, 2, &value))
        return cut;
    if (value > COUNT_MAX)
        return "has a negative number of columns";
    *count = (uint16_t)value;
    return NULL;
}

/* Walk over the values, so that later walks can't fail. */
static const char *take_tuple(struct bytes *in, struct pgoutput_tuple *out)
{
    struct pgoutput_value value;
    const uint8_t *begin;
    const char *wrong = take_count(in, &out->column_count);

    begin = in->data;
    for (uint16_t i = 0; wrong == NULL && i < out->column_count; i++)
        wrong = take_value(in, &value);
    if (wrong == NULL)
        out->columns = (struct bytes){begin, (size_t)(in->data - begin)};
    return wrong;
}

static const char *decode_begin(struct bytes *in, struct pgoutput_message *out)
{
    const char *wrong = bytes_take(in, 8, &out->begin.final_lsn)
                            ? take_time(in, &out->begin.commit_us)
                            : cut;

    if (wrong != NULL)
        return wrong;
    return take_u32(in, &out->begin.xid) ? NULL : cut;
}

static const char *decode_commit(struct bytes *in, struct pgoutput_message *out)
{
    uint64_t flags;

    if (!bytes_take(in, 1, &flags) || !bytes_take(in, 8, &out->commit.commit_lsn) ||
        !bytes_take(in, 8, &out->commit.end_lsn))
        return cut;
    if (flags != 0)
        return flagged;
    return take_time(in, &out->commit.commit_us);
}

static const char *decode_relation(struct bytes *in, struct pgoutput_message *out)
{
    struct pgoutput_column column;
    const uint8_t *begin;
    uint64_t identity;
    const char *wrong;

    if (!take_u32(in, &out->relation.oid) || !take_text(in, &out->relation.schema) ||
        !take_text(in, &out->relation.name) || !bytes_take(in, 1, &identity))
        return cut;
    if (identity != PGOUTPUT_IDENTITY_DEFAULT && identity != PGOUTPUT_IDENTITY_NOTHING &&
        identity != PGOUTPUT_IDENTITY_FULL && identity != PGOUTPUT_IDENTITY_INDEX)
        return "has an unknown replica identity";
    out->relation.identity = (enum pgoutput_identity)identity;
    wrong = take_count(in, &out->relation.column_count);
    begin = in->data;
    for (uint16_t i = 0; wrong == NULL && i < out->relation.column_count; i++)
        wrong = take_column(in, &column);
    if (wrong == NULL)
        out->relation.columns = (struct bytes){begin, (size_t)(in->data - begin)};
    return wrong;
}

/* Of an insert, update or delete, behind the relation: 'K' or 'O' and the row before,
 * 'N' and the row after. */
static const char *decode_row(struct bytes *in, struct pgoutput_message *out)
{
    const char *wrong;
    uint64_t part;

    if (!take_u32(in, &out->row.relation) || !bytes_take(in, 1, &part))
        return cut;
    if (out->kind != PGOUTPUT_INSERT && (part == 'K' || part == 'O')) {
        out->row.old_kind = part == 'K' ? PGOUTPUT_OLD_KEY : PGOUTPUT_OLD_FULL;
        wrong = take_tuple(in, &out->row.before);
        if (wrong != NULL || out->kind == PGOUTPUT_DELETE)
            return wrong;
        if (!bytes_take(in, 1, &part))
            return cut;
    }
    if (out->kind == PGOUTPUT_DELETE || part != 'N')
        return "has a tuple of unknown kind";
    return take_tuple(in, &out->row.after);
}

static const char *decode_truncate(struct bytes *in, struct pgoutput_message *out)
{
    uint64_t flags;

    if (!take_u32(in, &out->truncate.relation_count) || !bytes_take(in, 1, &flags) ||
        !bytes_take_view(in, (uint64_t)out->truncate.relation_count * 4,
                         &out->truncate.relations))
        return cut;
    if (out->truncate.relation_count == 0)
        return "names no relation";
    if (flags > (CASCADE | RESTART_IDENTITY))
        return flagged;
    out->truncate.cascade = (flags & CASCADE) != 0;
    out->truncate.restart_identity = (flags & RESTART_IDENTITY) != 0;
    return NULL;
}

static const char *decode_message(struct bytes *in, struct pgoutput_message *out)
{
    uint64_t flags, size;

    if (!bytes_take(in, 1, &flags) || !bytes_take(in, 8, &out->message.lsn) ||
        !take_text(in, &out->message.prefix) || !bytes_take(in, 4, &size) ||
        !bytes_take_view(in, size, &out->message.content))
        return cut;
    if (flags > TRANSACTIONAL)
        return flagged;
    out->message.transactional = flags == TRANSACTIONAL;
    return NULL;
}

static const char *decode_stream_abort(struct bytes *in, struct pgoutput_message *out)
{
    if (!take_u32(in, &out->stream_abort.xid) || !take_u32(in, &out->stream_abort.subxid))
        return cut;
    if (in->size == 0)
        return NULL;
    return bytes_take_view(in, PLACE_SIZE, &out->stream_abort.place) ? NULL : cut;
}

static const char *decode_body(struct bytes *in, struct pgoutput_message *out)
{
    switch (out->kind) {
    case PGOUTPUT_BEGIN:
        return decode_begin(in, out);
    case PGOUTPUT_COMMIT:
        return decode_commit(in, out);
    case PGOUTPUT_ORIGIN:
        return bytes_take(in, 8, &out->origin.lsn) && take_text(in, &out->origin.name)
                   ? NULL
                   : cut;
    case PGOUTPUT_RELATION:
        return decode_relation(in, out);
    case PGOUTPUT_TYPE:
        return take_u32(in, &out->type.oid) && take_text(in, &out->type.schema) &&
                       take_text(in, &out->type.name)
                   ? NULL
                   : cut;
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        return decode_row(in, out);
    case PGOUTPUT_TRUNCATE:
        return decode_truncate(in, out);
    case PGOUTPUT_MESSAGE:
        return decode_message(in, out);
    case PGOUTPUT_STREAM_ABORT:
        return decode_stream_abort(in, out);
    }
    return "is unknown, or was not asked for";
}

enum status pgoutput_decode(struct bytes in, struct pgoutput_message *out,
                            struct error *err)
{
    struct pgoutput_message message = {0};
    size_t size = in.size;
    const char *wrong;
    uint64_t kind;

    if (!bytes_take(&in, 1, &kind))
        return error_set(err, STATUS_CORRUPT, "pgoutput: an empty message");
    message.kind = (enum pgoutput_kind)kind;
    wrong = decode_body(&in, &message);
    if (wrong == NULL && in.size > 0)
        wrong = "is too long";
    if (wrong != NULL)
        return error_set(err, STATUS_CORRUPT, "pgoutput: message 0x%02x of %zu bytes %s",
                         (unsigned)kind, size, wrong);
    *out = message;
    return STATUS_OK;
}

bool pgoutput_take_value(struct bytes *columns, struct pgoutput_value *value)
{
    const char *wrong;

    if (columns->size == 0)
        return false;
    wrong = take_value(columns, value);
    assert(wrong == NULL); /* pgoutput_decode() has walked over it */
    return true;
}

bool pgoutput_take_column(struct bytes *columns, struct pgoutput_column *column)
{
    const char *wrong;

    if (columns->size == 0)
        return false;
    wrong = take_column(columns, column);
    assert(wrong == NULL);
    return true;
}

bool pgoutput_take_relation(struct bytes *relations, uint32_t *oid)
{
    assert(relations->size % 4 == 0);
    return take_u32(relations, oid);
}
