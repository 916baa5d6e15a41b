/* Joining a fleet: what init --join remembers, and what the first sync makes of it.
 *
 * Happy path: the founder's entries were imported; in one transaction of the database the
 * tables that it lacks are made, the rows that it has meet the fleet's (node/meeting.h),
 * and it is said to be this node's (SQLite: rowferry_state; Postgres has the slot for
 * that, which comes later: node/database_postgres_enter.c); META_JOIN says that this is
 * done; then the log gets this node's member entry, its definitions and the rows that
 * only it has, and META_JOIN is emptied. Killed between two of these the next call finds
 * META_JOIN, the state in the database, or the entry in the log, and goes on. */
#include "node/node_private.h"

#include "log/conflicts.h"
#include "log/log_reader.h"
#include "log/plan.h"
#include "log/segment.h"
#include "node/foreign_keys.h"
#include "node/join_tables.h"
#include "node/meeting.h"
#include "node/members.h"

#include <string.h>

/* META_JOIN: one byte of flags; empty when there is nothing left to join. */
enum {
    JOIN_PENDING = 1,
    JOIN_CREATE_TABLES = 2,
    JOIN_TAKE_OVER = 4,
    JOIN_MET = 8,
    JOIN_PREFER_FLEET = 16,
    JOIN_PREFER_LOCAL = 32,
    JOIN_ENTERED = 64,
};

static enum status put_join(struct store *store, struct bytes value, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_JOIN, value, err);
    if (status == STATUS_OK) {
        status = store_commit(txn, err);
        txn = NULL;
    }
    store_abort(txn);
    return status;
}

static uint8_t flags_of(const struct join_plan *plan)
{
    return (uint8_t)((plan->pending ? JOIN_PENDING : 0) |
                     (plan->create_tables ? JOIN_CREATE_TABLES : 0) |
                     (plan->take_over ? JOIN_TAKE_OVER : 0) | (plan->met ? JOIN_MET : 0) |
                     (plan->entered ? JOIN_ENTERED : 0) |
                     (plan->prefer == PREFER_FLEET ? JOIN_PREFER_FLEET : 0) |
                     (plan->prefer == PREFER_LOCAL ? JOIN_PREFER_LOCAL : 0));
}

enum status join_remember(struct store *store, const struct join_plan *plan,
                          struct error *err)
{
    uint8_t flags = flags_of(plan);

    return put_join(store, (struct bytes){&flags, 1}, err);
}

enum status join_recall(struct store *store, struct join_plan *plan, struct error *err)
{
    struct store_txn *txn = NULL;
    struct bytes value = {0};
    unsigned flags;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_JOIN, &value, err);
    if (status == STATUS_OK) {
        flags = value.size > 0 ? value.data[0] : 0;
        *plan = (struct join_plan){
            .pending = (flags & JOIN_PENDING) != 0,
            .create_tables = (flags & JOIN_CREATE_TABLES) != 0,
            .take_over = (flags & JOIN_TAKE_OVER) != 0,
            .met = (flags & JOIN_MET) != 0,
            .entered = (flags & JOIN_ENTERED) != 0,
            .prefer = (flags & JOIN_PREFER_FLEET) != 0   ? PREFER_FLEET
                      : (flags & JOIN_PREFER_LOCAL) != 0 ? PREFER_LOCAL
                                                         : PREFER_NEITHER,
        };
    }
    store_abort(txn);
    return status;
}

enum status join_log_member(struct store *store, enum database_kind kind,
                            bool whole_context, struct error *err)
{
    const struct identity *identity = store_identity(store);
    struct local_entry entry = {.kind = ENTRY_MEMBER, .whole_context = whole_context};
    struct appender *appender = NULL;
    struct member member = {
        .event = MEMBER_JOINED,
        .node = identity->node,
        .name = bytes_of_text(identity->name),
        .engine = kind == DATABASE_POSTGRES ? MEMBER_POSTGRES : MEMBER_SQLITE,
        .formats_max = SEGMENT_FORMAT,
    };
    uint64_t seq;
    enum status status = appender_open(&appender, store, APPENDER_CAPTURE, err);

    memcpy(member.public_key, identity->public_key, sizeof member.public_key);
    if (status == STATUS_OK)
        status = appender_add_member(appender, &member, err);
    if (status == STATUS_OK)
        status = appender_end_local(appender, &entry, &seq, err);
    if (status == STATUS_OK)
        status = appender_commit(appender, err);
    appender_close(appender);
    return status;
}

/* ---- the first sync */

static enum status meet_rows(struct node *node, const struct join_plan *plan,
                             uint64_t founder, struct error *err)
{
    struct join_plan met = *plan;
    struct meeting_terms terms = {
        .prefer = plan->prefer,
        .again = plan->met,
        .founder = founder,
    };
    uint8_t flags;

    met.met = true;
    flags = flags_of(&met);
    terms.said = (struct bytes){&flags, 1};
    return meeting_hold(node, &terms, err);
}

/* One transaction: all of it or, after a kill, nothing but what the store says of the
 * rows that are there, which the next call says anew. */
static enum status enter_database(struct node *node, struct join_plan *plan,
                                  const struct fleet_tables *tables, struct error *err)
{
    const struct database_ops *ops = node->database->ops;
    enum status status = ops->begin_enter(node->database, node->store, plan->take_over,
                                          &plan->entered, err);

    if (status == STATUS_OK && plan->entered)
        return STATUS_OK;
    if (status == STATUS_OK && plan->create_tables)
        status = fleet_tables_make(tables, node, err);
    if (status == STATUS_OK) /* after that: --tables may name some that were not there */
        status = meet_rows(node, plan, tables->founder, err);
    if (status == STATUS_OK)
        status = ops->end_enter(node->database, node->store, err);
    if (status != STATUS_OK) {
        ops->rollback(node->database);
        return status;
    }
    plan->met = true;
    plan->entered = true;
    return join_remember(node->store, plan, err);
}

/* Whatever this node writes has seen the whole log, as its member entry says: it must be
 * stamped later than all of it, though the database has taken nothing yet. */
static enum status observe_log(struct store *store, struct error *err)
{
    struct store_txn *txn = NULL;
    struct plan_extent whole;
    struct hybrid_clock clock = {0};
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = plan_extent(txn, 0, UINT64_MAX, &whole, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_CLOCK, &clock.last_us, err);
    if (status == STATUS_OK) {
        hybrid_clock_observe(&clock, whole.max_stamp_us);
        status = meta_put(txn, META_CLOCK, clock.last_us, err);
    }
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

/* Killed after it, the next call finds nothing that differs. */
static enum status enter_source(struct node *node, const struct join_plan *plan,
                                struct error *err)
{
    struct capture_counts counts = {0};
    struct source *source = NULL;
    enum status status = node_source(node, &source, err);

    return status == STATUS_OK
               ? source->ops->enter(source, plan->prefer == PREFER_FLEET, &counts, err)
               : status;
}

static enum status enter_log(struct node *node, const struct join_plan *plan,
                             struct error *err)
{
    struct store_txn *txn = NULL;
    struct capture_counts counts = {0};
    uint64_t seq;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = log_find(txn, store_identity(node->store)->node, 1, &seq, err);
    store_abort(txn);
    if (status == STATUS_NOT_FOUND) {
        status = observe_log(node->store, err);
        if (status == STATUS_OK)
            status = join_log_member(node->store, node->database->kind, true, err);
    }
    if (status == STATUS_OK)
        status = enter_source(node, plan, err);
    if (status == STATUS_OK)
        status = node_capture_locked(node, &counts, err);
    return status == STATUS_OK ? put_join(node->store, (struct bytes){0}, err) : status;
}

/* Without a line of its own in rowferry.ini the newcomer has it as the founder has. */
static enum status take_foreign_keys(struct node *node, uint64_t founder,
                                     struct error *err)
{
    struct store_txn *txn = NULL;
    struct members members = {0};
    const struct member_name *member;
    bool count = true, any = false;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = foreign_keys_of_fleet(txn, founder, &count, &any, err);
    if (status == STATUS_OK)
        status = members_read(&members, txn, err);
    store_abort(txn);
    if (status == STATUS_OK)
        status = foreign_keys_remember(node->store, count, err);
    if (status == STATUS_OK && node->config.foreign_keys == FOREIGN_KEYS_UNSAID) {
        node->foreign_keys = count;
        member = members_get(&members, founder);
        if (!count) {
            node_say(node,
                     "foreign keys do not count here, since they do not at %s, the "
                     "fleet's founder: rows are shown without their parents too "
                     "(foreign_keys in rowferry.ini)",
                     member != NULL ? member->name : "the node");
        }
    }
    members_release(&members);
    return status;
}

static enum status count_conflicts(struct store *store, uint64_t *count,
                                   struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = conflict_count(txn, count, err);
    store_abort(txn);
    return status;
}

enum status join_finish(struct node *node, uint64_t *conflicts, struct error *err)
{
    uint64_t before = 0, after = 0;
    struct store_txn *txn = NULL;
    struct fleet_tables tables = {0};
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status != STATUS_OK || !plan.pending)
        return status;
    status = store_begin(node->store, TXN_READ, &txn, err);
    if (status == STATUS_OK)
        status = fleet_tables_find(&tables, txn, err);
    store_abort(txn); /* definitions live as long as the store */
    if (status == STATUS_OK)
        status = enter_database(node, &plan, &tables, err);
    if (status == STATUS_OK)
        status = take_foreign_keys(node, tables.founder, err);
    if (status == STATUS_OK)
        status = count_conflicts(node->store, &before, err);
    if (status == STATUS_OK)
        status = enter_log(node, &plan, err);
    if (status == STATUS_OK)
        status = count_conflicts(node->store, &after, err);
    *conflicts += status == STATUS_OK ? after - before : 0;
    fleet_tables_release(&tables);
    return status;
}
