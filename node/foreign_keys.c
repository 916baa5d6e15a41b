#include "node/foreign_keys.h"

#include "node/members.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* META_FOREIGN_KEYS */
enum { COUNT = 1, COUNT_NOT = 2 };

enum status foreign_keys_count(struct store_txn *txn, const struct config *config,
                               bool *count, struct error *err)
{
    uint64_t decided = 0;
    enum status status = meta_get(txn, META_FOREIGN_KEYS, &decided, err);

    *count = config->foreign_keys == FOREIGN_KEYS_UNSAID
                 ? decided != COUNT_NOT
                 : config->foreign_keys == FOREIGN_KEYS_ON;
    return status;
}

enum status foreign_keys_remember(struct store *store, bool count, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put(txn, META_FOREIGN_KEYS, count ? COUNT : COUNT_NOT, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

static void look_at(const struct definition *definition, bool *count, bool *any)
{
    for (uint32_t i = 0; i < definition->foreign_key_count; i++) {
        *any = true;
        *count = *count && definition->foreign_keys[i].counts;
    }
}

enum status foreign_keys_of_fleet(struct store_txn *txn, uint64_t founder, bool *count,
                                  bool *any, struct error *err)
{
    uint32_t tables = 0;
    struct table table;
    enum status status = tables_count(txn, &tables, err);

    *count = true;
    *any = false;
    for (uint32_t id = 1; status == STATUS_OK && id <= tables; id++) {
        status = tables_newest(txn, founder, id, &table, err);
        if (status == STATUS_OK)
            look_at(table.definition, count, any);
        else if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    for (uint32_t id = 1; status == STATUS_OK && !*any && id <= tables; id++) {
        status = tables_any(txn, id, &table, err);
        if (status == STATUS_OK)
            look_at(table.definition, count, any);
        else if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

/* ---- what each member's definitions were */

struct watched {
    uint64_t node;
    uint32_t highest;
};

struct foreign_keys_watch {
    size_t count;
    struct watched list[];
};

enum status foreign_keys_watch_open(struct foreign_keys_watch **out,
                                    struct store_txn *txn, struct error *err)
{
    struct foreign_keys_watch *watch = NULL;
    struct members members;
    enum status status = members_read(&members, txn, err);

    *out = NULL;
    if (status == STATUS_OK) {
        watch = calloc(1, sizeof *watch + members.count * sizeof watch->list[0]);
        if (watch == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "foreign keys: out of memory");
    }
    for (size_t i = 0; status == STATUS_OK && i < members.count; i++) {
        struct watched *watched;

        assert(watch != NULL);
        watched = &watch->list[watch->count++];
        watched->node = members.list[i].node;
        status = tables_highest(txn, watched->node, &watched->highest, err);
    }
    members_release(&members);
    if (status != STATUS_OK) {
        free(watch);
        return status;
    }
    *out = watch;
    return STATUS_OK;
}

void foreign_keys_watch_close(struct foreign_keys_watch *watch)
{
    free(watch);
}

static uint32_t highest_before(const struct foreign_keys_watch *watch, uint64_t node)
{
    for (size_t i = 0; watch != NULL && i < watch->count; i++)
        if (watch->list[i].node == node)
            return watch->list[i].highest;
    return 0;
}

static enum status is_known(struct store_txn *txn, const struct foreign_keys_watch *watch,
                            uint64_t node, bool *known, struct error *err)
{
    uint32_t highest = 0;
    enum status status = tables_highest(txn, node, &highest, err);

    *known = highest == highest_before(watch, node);
    return status;
}

/* ---- members that have it otherwise */

static bool same_key(const struct foreign_key *a, const struct foreign_key *b)
{
    if (a->column_count != b->column_count || strcmp(a->parent, b->parent) != 0)
        return false;
    for (uint32_t i = 0; i < a->column_count; i++) {
        if (strcmp(a->columns[i], b->columns[i]) != 0 ||
            strcmp(a->parent_columns[i], b->parent_columns[i]) != 0)
            return false;
    }
    return true;
}

/* Whether theirs says the contrary of `count` of a key that ours has too. */
static bool is_otherwise(const struct definition *theirs, const struct definition *ours,
                         bool count)
{
    for (uint32_t i = 0; i < theirs->foreign_key_count; i++) {
        if (theirs->foreign_keys[i].counts == count)
            continue;
        for (uint32_t k = 0; k < ours->foreign_key_count; k++)
            if (same_key(&theirs->foreign_keys[i], &ours->foreign_keys[k]))
                return true;
    }
    return false;
}

/* *table: NULL when all are as here. */
static enum status compare(struct store_txn *txn, uint64_t node, bool count,
                           const char **table, struct error *err)
{
    uint64_t own = store_identity(store_of(txn))->node;
    uint32_t tables = 0;
    enum status status = tables_count(txn, &tables, err);

    *table = NULL;
    for (uint32_t id = 1; status == STATUS_OK && *table == NULL && id <= tables; id++) {
        struct table theirs, ours;

        status = tables_newest(txn, node, id, &theirs, err);
        if (status == STATUS_OK)
            status = tables_newest(txn, own, id, &ours, err);
        if (status == STATUS_OK &&
            is_otherwise(theirs.definition, ours.definition, count))
            *table = ours.definition->name;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

enum status foreign_keys_elsewhere_read(struct foreign_keys_elsewhere *out,
                                        struct store_txn *txn, bool count,
                                        const struct foreign_keys_watch *before,
                                        struct error *err)
{
    uint64_t own = store_identity(store_of(txn))->node;
    struct members members;
    bool own_known = false;
    enum status status = members_read(&members, txn, err);

    *out = (struct foreign_keys_elsewhere){0};
    if (status == STATUS_OK) {
        out->list = calloc(members.count + 1, sizeof *out->list);
        if (out->list == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "foreign keys: out of memory");
    }
    if (status == STATUS_OK)
        status = is_known(txn, before, own, &own_known, err);
    for (size_t i = 0; status == STATUS_OK && i < members.count; i++) {
        struct foreign_keys_member *member;

        assert(out->list != NULL);
        member = &out->list[out->count];
        member->node = members.list[i].node;
        if (member->node == own || members.list[i].forgotten)
            continue;
        status = is_known(txn, before, member->node, &member->known, err);
        member->known = member->known && own_known;
        if (status == STATUS_OK)
            status = compare(txn, member->node, count, &member->table, err);
        out->count += status == STATUS_OK && member->table != NULL;
    }
    members_release(&members);
    return status;
}

void foreign_keys_elsewhere_release(struct foreign_keys_elsewhere *elsewhere)
{
    free(elsewhere->list);
    *elsewhere = (struct foreign_keys_elsewhere){0};
}
