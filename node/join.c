/* Joining a fleet: what init --join remembers, and what the first sync makes of it.
 *
 * Happy path: the founder's entries were imported; in one transaction of the database the
 * tables that it lacks are made, the rows that it has meet the fleet's (node/meeting.h),
 * and rowferry_state is written; then the log gets this
 * node's member entry, its definitions and the rows that only it has, and META_JOIN is
 * emptied. Killed between two of these the next call finds the state in the database, or
 * the entry in the log, and goes on. */
#include "node/node_private.h"

#include "capture/sqlite_scan.h"
#include "engine/sqlite_dangling.h"
#include "log/conflicts.h"
#include "log/log_reader.h"
#include "log/plan.h"
#include "log/segment.h"
#include "node/foreign_keys.h"
#include "node/meeting.h"
#include "node/members.h"
#include "node/own_state.h"

#include <stdlib.h>
#include <string.h>

/* META_JOIN: one byte of flags; empty when there is nothing left to join. */
enum {
    JOIN_PENDING = 1,
    JOIN_CREATE_TABLES = 2,
    JOIN_TAKE_OVER = 4,
    JOIN_MET = 8,
    JOIN_PREFER_FLEET = 16,
    JOIN_PREFER_LOCAL = 32,
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

/* ---- the fleet's tables */

/* Definitions of all fleet tables, the founder's where it has one; the store's views. */
struct fleet_tables {
    const struct definition **definitions; /* owned */
    uint32_t count;
    uint64_t founder;
};

/* The founder is who made the first entry: all others have it in their context. */
static enum status find_fleet_tables(struct store_txn *txn, struct fleet_tables *out,
                                     struct error *err)
{
    struct log_entry first;
    struct table table;
    uint32_t count = 0;
    enum status status = log_get(txn, 1, &first, err);

    *out = (struct fleet_tables){0};
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_REFUSED, JOIN_NOTHING_YET);
    if (status == STATUS_OK)
        status = tables_count(txn, &count, err);
    if (status != STATUS_OK)
        return status;
    out->founder = first.header.origin;
    out->definitions = calloc((size_t)count + 1, sizeof(const struct definition *));
    if (out->definitions == NULL)
        return error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    for (uint32_t id = 1; id <= count; id++) {
        status = tables_newest(txn, first.header.origin, id, &table, err);
        if (status == STATUS_NOT_FOUND)
            status = tables_any(txn, id, &table, err);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK)
            break;
        out->definitions[out->count++] = table.definition;
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        free(out->definitions);
        *out = (struct fleet_tables){0};
        return status;
    }
    return STATUS_OK;
}

static void say_left_out(void *data, const char *trigger, const char *table,
                         const char *why)
{
    node_say(
        data,
        "trigger %s of table %s is left out, since every write that it fires on would "
        "fail: %s; make what it lacks here, then the trigger as the fleet has it",
        trigger, table, why);
}

/* A table that needs what only the application has is left to it; the others are made. */
static enum status make_or_leave(struct node *node, const struct definition *definition,
                                 struct error *err)
{
    enum status status =
        node->database->ops->create_table(node->database, definition, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    node_say(node,
             "table %s is not made: %s; let the application make it, until then its rows "
             "wait in quarantine",
             definition->name, err->text);
    return STATUS_OK;
}

/* Make the fleet's table by its own statements, under the name that it has there, unless
 * there is one. What the fleet calls it is a rule from now on, until it is logged. */
static enum status create_table(struct node *node, const struct definition *definition,
                                bool *made, struct error *err)
{
    const struct database_ops *ops = node->database->ops;
    struct table_rules *rules = &node->config.rules;
    const char *here = table_names_here(rules, definition->name);
    struct table_rule *rule = NULL;
    bool wanted = false, exists = false;
    enum status status = table_rules_wants(rules, definition->local_name, &wanted, err);

    if (status == STATUS_OK && wanted)
        status = ops->has_table(node->database, here, true, &exists, err);
    /* A rule says that another one is it. */
    if (status != STATUS_OK || !wanted || (exists && here != definition->name))
        return status;
    status = ops->has_table(node->database, definition->local_name, true, &exists, err);
    *made = status == STATUS_OK && !exists;
    if (*made)
        status = make_or_leave(node, definition, err);
    if (status == STATUS_OK)
        status = table_rules_add(rules, definition->local_name, &rule, err);
    if (status == STATUS_OK && rule->name == NULL)
        status = table_rules_set(&rule->name, definition->name, err);
    return status;
}

/* Parents before children, so that the DDL reads in a sensible order. Then, when all are
 * there, without the triggers that need more than these. */
static enum status create_tables(struct node *node, const struct fleet_tables *tables,
                                 struct error *err)
{
    uint32_t *group = calloc((size_t)tables->count + 1, sizeof *group), last = 0;
    const struct definition **made = (const struct definition **)calloc(
        (size_t)tables->count + 1, sizeof(struct definition *));
    uint32_t made_count = 0;
    enum status status;

    if (group == NULL || made == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    else
        status = foreign_key_groups(tables->definitions, tables->count, group, err);
    for (uint32_t i = 0; status == STATUS_OK && i < tables->count; i++)
        last = group[i] > last ? group[i] : last;
    for (uint32_t now = 0; status == STATUS_OK && now <= last; now++) {
        for (uint32_t i = 0; status == STATUS_OK && i < tables->count; i++) {
            const struct definition *definition = tables->definitions[i];
            bool is_made = false;

            if (group[i] != now)
                continue;
            status = create_table(node, definition, &is_made, err);
            if (is_made)
                made[made_count++] = definition;
            if (status != STATUS_OK)
                status = error_wrap(err, status, definition->name);
        }
    }
    if (status == STATUS_OK)
        status =
            sqlite_dangling_drop(node->sqlite, made, made_count, say_left_out, node, err);
    free(group);
    free((void *)made);
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
static enum status enter_database(struct node *node, const struct join_plan *plan,
                                  const struct fleet_tables *tables, struct error *err)
{
    const struct identity *identity = store_identity(node->store);
    struct sqlite_state state = {0};
    struct sqlite_own_write own = {0};
    enum status status = node_check_sqlite(node, "joining", err);

    if (status == STATUS_OK)
        status = own_state_begin(node->sqlite, node->store, &own, err);

    if (status == STATUS_OK)
        status = sqlite_state_read(node->sqlite, &state, err);
    if (status == STATUS_OK && !plan->take_over)
        status = node_check_owner(identity->node, node->database->name, state.store, err);
    if (status == STATUS_OK && state.store == identity->node) {
        sqlite_rollback(node->sqlite);
        return STATUS_OK;
    }
    if (status == STATUS_OK && plan->create_tables)
        status = create_tables(node, tables, err);
    if (status == STATUS_OK) /* after that: --tables may name some that were not there */
        status = meet_rows(node, plan, tables->founder, err);
    state = (struct sqlite_state){
        .store = identity->node,
        .incarnation = identity->incarnation,
    };
    if (status == STATUS_OK)
        status = own_state_commit(node->sqlite, node->store, &own, &state, err);
    if (status != STATUS_OK)
        node->database->ops->rollback(node->database);
    return status;
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

/* What the fleet has otherwise is logged as losing to that; what is like it, or only
 * here, is for capture. Killed after it, the next call finds nothing that differs. */
static enum status yield_rows(struct node *node, struct error *err)
{
    struct capture_counts counts = {0};
    struct source *source = NULL;
    enum status status = node_check_sqlite(node, "init --prefer fleet", err);

    if (status == STATUS_OK)
        status = node_source(node, &source, err);
    return status == STATUS_OK ? sqlite_scan_yield(source, &counts, err) : status;
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
    if (status == STATUS_OK && plan->prefer == PREFER_FLEET)
        status = yield_rows(node, err);
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
        status = find_fleet_tables(txn, &tables, err);
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
    free(tables.definitions);
    return status;
}
