#include "node/numbers.h"

#include "apply/sqlite_counters.h"
#include "engine/number_range.h"
#include "engine/sqlite_catalog.h"
#include "engine/sqlite_settle.h"
#include "node/numbers_postgres.h"
#include "node/own_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the slot */

struct joined {
    uint64_t stamp_us; /* when, by the fleet's clock; the same on every node */
    uint64_t node;
};

struct joined_list {
    struct store_txn *txn;
    struct joined *list; /* owned */
    size_t count, capacity;
    enum status status;
    struct error *err;
};

static bool take_member(void *data, const struct member_record *record)
{
    struct joined_list *joined = data;
    struct log_entry entry;

    if (joined->count == joined->capacity) {
        size_t capacity = joined->capacity == 0 ? 8 : 2 * joined->capacity;
        struct joined *grown = realloc(joined->list, capacity * sizeof *grown);

        if (grown == NULL) {
            joined->status = error_set(joined->err, STATUS_NO_MEMORY, "out of memory");
            return false;
        }
        joined->list = grown;
        joined->capacity = capacity;
    }
    joined->status = log_get(joined->txn, record->seq, &entry, joined->err);
    if (joined->status != STATUS_OK)
        return false;
    joined->list[joined->count++] =
        (struct joined){entry.header.stamp_us, record->member.node};
    return true;
}

static int compare_joined(const void *a, const void *b)
{
    const struct joined *left = a, *right = b;

    if (left->stamp_us != right->stamp_us)
        return left->stamp_us < right->stamp_us ? -1 : 1;
    return left->node < right->node ? -1 : left->node > right->node;
}

enum status numbers_slot(struct store_txn *txn, uint32_t *slot, struct error *err)
{
    struct joined_list joined = {.txn = txn, .err = err};
    uint64_t *nodes = NULL;
    enum status status = members_visit(txn, take_member, &joined, err);

    if (status == STATUS_OK)
        status = joined.status;
    if (status == STATUS_OK) {
        nodes = calloc(joined.count + 1, sizeof *nodes);
        if (nodes == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "members: out of memory");
    }
    if (status == STATUS_OK) {
        assert(nodes != NULL);
        if (joined.count > 1)
            qsort(joined.list, joined.count, sizeof *joined.list, compare_joined);
        for (size_t i = 0; i < joined.count; i++)
            nodes[i] = joined.list[i].node;
        *slot =
            number_range_slot(nodes, joined.count, store_identity(store_of(txn))->node);
    }
    free(nodes);
    free(joined.list);
    return status;
}

static enum status find_slot(struct store *store, uint32_t *slot, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = numbers_slot(txn, slot, err);
    store_abort(txn);
    return status;
}

/* ---- the counters */

static void say_used_up(const struct numbers *numbers, const char *table, int64_t largest)
{
    char line[800];

    (void)snprintf(
        line, sizeof line,
        "%s: its largest number is %lld, so none of this node's own is left (ids "
        "= range): let the program give random keys",
        table, (long long)largest);
    if (numbers->notice != NULL)
        numbers->notice(numbers->notice_data, line);
}

/* In the transaction that is open. set: it may write. *wrong: some counter is, or was,
 * not where it must be. */
static enum status look(const struct numbers *numbers, uint32_t slot, bool set,
                        bool *wrong, struct error *err)
{
    struct sqlite_database *database = numbers->database;
    struct catalog own = {0};
    const struct catalog *catalog = numbers->catalog;
    enum status status = STATUS_OK;

    *wrong = false;
    if (catalog == NULL) {
        catalog = &own;
        status = sqlite_catalog_read(database, &numbers->config->rules, NULL, &own, err);
    }
    for (size_t i = 0; i < catalog->count && status == STATUS_OK; i++) {
        const struct definition *definition = catalog->definitions[i];
        const struct column *column = NULL;
        int64_t largest = 0, counter = 0;

        status = sqlite_counters_find(database, definition, &column, err);
        if (status == STATUS_OK && column != NULL)
            status = sqlite_counters_largest(database, definition, column, &largest, err);
        if (status != STATUS_OK || column == NULL)
            continue;
        if (!number_range_counter(slot, largest, &counter)) {
            if (!set)
                say_used_up(numbers, definition->local_name, largest);
            continue;
        }
        *wrong = *wrong || counter != largest;
        if (set && counter != largest)
            status = sqlite_counters_set(database, definition, counter, err);
    }
    catalog_release(&own);
    return status;
}

/* Whether there is something to set. */
static enum status look_first(const struct numbers *numbers, uint32_t slot, bool *wrong,
                              struct error *err)
{
    enum status status = sqlite_begin_read(numbers->database, err);

    if (status == STATUS_OK)
        status = look(numbers, slot, false, wrong, err);
    sqlite_rollback(numbers->database);
    return status;
}

enum status numbers_begin(const struct numbers *numbers, struct error *err)
{
    struct sqlite_own_write own = {0};
    struct meta_update updates[SQLITE_OWN_WRITE_UPDATES];
    size_t count = 0;
    uint32_t slot = 0;
    bool wrong = false;
    enum status status = STATUS_OK;

    if (numbers->config->ids != IDS_RANGE ||
        (numbers->database == NULL && numbers->postgres == NULL))
        return STATUS_OK;
    status = find_slot(numbers->store, &slot, err);
    if (status == STATUS_OK && numbers->postgres != NULL)
        return numbers_postgres_keep(numbers, slot, err);
    if (status == STATUS_OK)
        status = look_first(numbers, slot, &wrong, err);
    if (status != STATUS_OK || !wrong)
        return status;
    status = own_state_begin(numbers->database, numbers->store, &own, err);
    if (status == STATUS_OK)
        status = look(numbers, slot, true, &wrong, err);
    if (status == STATUS_OK)
        status = sqlite_commit(numbers->database, err);
    sqlite_rollback(numbers->database);
    if (status == STATUS_OK)
        status = sqlite_own_write_after(numbers->database, &own, 0, updates, &count, err);
    return status == STATUS_OK ? sqlite_own_write_put(numbers->store, updates, count, err)
                               : status;
}

/* As capture raises the counter of rowferry_state. */
static enum status set_all(const struct numbers *numbers, uint32_t slot,
                           struct error *err)
{
    struct sqlite_own_write own = {0};
    struct sqlite_state state;
    struct store_txn *txn = NULL;
    bool wrong;
    enum status status = sqlite_settle_begin(numbers->database, numbers->store,
                                             SQLITE_SETTLE_WRITE, &state, err);

    if (status != STATUS_OK)
        return status;
    status = store_begin(numbers->store, TXN_READ, &txn, err);
    if (status == STATUS_OK)
        status = sqlite_own_write_before(numbers->database, txn, &own, err);
    store_abort(txn);
    if (status == STATUS_OK)
        status = look(numbers, slot, true, &wrong, err);
    state.counter++;
    if (status == STATUS_OK)
        status = own_state_commit(numbers->database, numbers->store, &own, &state, err);
    sqlite_rollback(numbers->database);
    return status;
}

enum status numbers_keep(const struct numbers *numbers, struct error *err)
{
    uint32_t slot = 0;
    bool wrong = false;
    enum status status = STATUS_OK;

    if (numbers->config->ids != IDS_RANGE ||
        (numbers->database == NULL && numbers->postgres == NULL))
        return STATUS_OK;
    status = find_slot(numbers->store, &slot, err);
    if (status == STATUS_OK && numbers->postgres != NULL)
        return numbers_postgres_keep(numbers, slot, err);
    if (status == STATUS_OK)
        status = look_first(numbers, slot, &wrong, err);
    if (status == STATUS_OK && wrong)
        status = set_all(numbers, slot, err);
    return status == STATUS_BUSY ? STATUS_OK : status;
}

/* ---- for those who ask */

enum status numbers_rule(struct database *database, const struct definition *definition,
                         enum ids_mode ids, struct init_rule *rule, struct error *err)
{
    const struct column *column = NULL;
    enum status status = STATUS_OK;

    if (database == NULL)
        return STATUS_OK;
    if (database_postgres(database) != NULL) { /* what findings do not say */
        return ids == IDS_RANGE ? numbers_postgres_rule(database_postgres(database),
                                                        definition, rule, err)
                                : STATUS_OK;
    }
    if (ids == IDS_RANGE)
        status =
            sqlite_counters_find(database_sqlite(database), definition, &column, err);
    rule->own_numbers = column != NULL;
    rule->numbers = column == NULL && sqlite_numbers_rows(definition) && !rule->key &&
                    rule->direction != TABLE_IN;
    return status;
}
