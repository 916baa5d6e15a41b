/* Messages of pgoutput, the plugin of Postgres's own logical replication: protocol
 * version 1, with logical messages; neither streamed nor two-phase transactions, which
 * are not asked for.
 *
 * Pure: bytes in, a struct out, nothing is allocated. Texts and views point into the
 * input and live as long as it does; texts end with a NUL and are in the connection's
 * encoding. The order of messages is not looked at: a transaction is BEGIN, ORIGIN when
 * it has one, the rest, COMMIT; a RELATION comes before its first row of a session and
 * after each change of it, its TYPEs before it. */
#ifndef CAPTURE_PGOUTPUT_H
#define CAPTURE_PGOUTPUT_H

#include "log/bytes.h"
#include "log/error.h"

enum pgoutput_kind {
    PGOUTPUT_BEGIN = 'B',
    PGOUTPUT_COMMIT = 'C',
    PGOUTPUT_ORIGIN = 'O',
    PGOUTPUT_RELATION = 'R',
    PGOUTPUT_TYPE = 'Y',
    PGOUTPUT_INSERT = 'I',
    PGOUTPUT_UPDATE = 'U',
    PGOUTPUT_DELETE = 'D',
    PGOUTPUT_TRUNCATE = 'T',
    PGOUTPUT_MESSAGE = 'M',
    /* To be passed over. Postgres 18 sends it unasked, for a transaction that it never
     * began to stream (pitfall 12). */
    PGOUTPUT_STREAM_ABORT = 'A'
};

enum pgoutput_identity {
    PGOUTPUT_IDENTITY_DEFAULT = 'd',
    PGOUTPUT_IDENTITY_NOTHING = 'n',
    PGOUTPUT_IDENTITY_FULL = 'f',
    PGOUTPUT_IDENTITY_INDEX = 'i'
};

/* What an UPDATE or DELETE tells of the row before it. */
enum pgoutput_old {
    PGOUTPUT_OLD_NONE, /* an update that left the key alone */
    PGOUTPUT_OLD_KEY,  /* the identity's columns; the others are null, whatever they were
                        */
    PGOUTPUT_OLD_FULL  /* all of it */
};

/* For pgoutput_take_value(). No columns when the message has no such tuple. */
struct pgoutput_tuple {
    uint16_t column_count;
    struct bytes columns;
};

struct pgoutput_message {
    enum pgoutput_kind kind;
    union {
        struct {
            uint64_t final_lsn; /* where its commit stands: COMMIT's commit_lsn */
            int64_t commit_us;  /* Unix microseconds, as in COMMIT */
            uint32_t xid;
        } begin;
        struct {
            uint64_t commit_lsn;
            uint64_t end_lsn; /* behind the transaction: what to confirm */
            int64_t commit_us;
        } commit;
        struct {
            uint64_t lsn; /* of the commit at the origin */
            const char *name;
        } origin;
        struct {
            uint32_t oid;
            const char *schema; /* "" is pg_catalog */
            const char *name;
            enum pgoutput_identity identity;
            uint16_t column_count;
            struct bytes columns; /* for pgoutput_take_column() */
        } relation;
        struct {
            uint32_t oid;
            const char *schema; /* "" is pg_catalog */
            const char *name;
        } type;
        struct {
            uint32_t relation; /* its oid */
            enum pgoutput_old old_kind;
            struct pgoutput_tuple before; /* of update and delete */
            struct pgoutput_tuple after;  /* of insert and update */
        } row;
        struct {
            bool cascade;
            bool restart_identity;
            uint32_t relation_count; /* at least 1 */
            struct bytes relations;  /* for pgoutput_take_relation() */
        } truncate;
        struct {
            bool transactional; /* else it may stand between transactions */
            uint64_t lsn;
            const char *prefix;
            struct bytes content;
        } message;
        struct {
            uint32_t xid;
            uint32_t subxid;
            struct bytes place; /* empty, or an LSN and a time */
        } stream_abort;
    };
};

/* Decode one message, all of it, tuples and columns too. CORRUPT: cut, too long, of a
 * kind that is unknown or was not asked for, or with a field that can't be. */
MUST_CHECK enum status pgoutput_decode(struct bytes in, struct pgoutput_message *out,
                                       struct error *err);

enum pgoutput_value_kind {
    PGOUTPUT_NULL = 'n',
    PGOUTPUT_UNCHANGED = 'u', /* TOAST that the update left alone, and is not told */
    PGOUTPUT_TEXT = 't',
    PGOUTPUT_BINARY = 'b'
};

struct pgoutput_value {
    enum pgoutput_value_kind kind;
    struct bytes data; /* of text (no NUL follows) and binary */
};

/* The modifier (length, precision) of a type that has none. */
enum { PGOUTPUT_NO_MODIFIER = -1 };

struct pgoutput_column {
    bool in_identity; /* with identity FULL: every column */
    const char *name;
    uint32_t type; /* its oid */
    int32_t type_modifier;
};

/* Take the next one from a copy of a decoded message's view. False when all are taken. */
bool pgoutput_take_value(struct bytes *columns, struct pgoutput_value *value);
bool pgoutput_take_column(struct bytes *columns, struct pgoutput_column *column);
bool pgoutput_take_relation(struct bytes *relations, uint32_t *oid);

#endif
