#include "node/join_again.h"

#include "node/database_url.h"
#include "node/node_private.h"
#include "node/token_file.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_other(const struct node *node, const char *place,
                                const char *what, struct error *err)
{
    return error_set(err, STATUS_REFUSED,
                     "%s: there is a store already, of node %s%s: name another directory "
                     "with --store",
                     place, store_identity(node->store)->name, what);
}

static enum status check_fleet(const struct node *node, const char *place,
                               const char *token, struct error *err)
{
    struct identity said = {0};
    bool same;
    enum status status = token_file_read(&said, token, err);

    same = memcmp(said.fleet, store_identity(node->store)->fleet, FLEET_ID_SIZE) == 0;
    sodium_memzero(&said, sizeof said);
    if (status != STATUS_OK || same)
        return status;
    return refuse_other(node, place, ", which is of another fleet", err);
}

/* Whether all that is said is so of the node whose store this is. */
static enum status check_same(const struct node *node, const struct init_options *options,
                              const char *place, const char *url, struct error *err)
{
    struct database_url own;
    bool same;
    enum status status = database_url_read(&own, node->url, err);

    if (status != STATUS_OK)
        return status;
    same = strcmp(own.text, url) == 0;
    database_url_release(&own);
    if (!same)
        return refuse_other(node, place, ", which has another database", err);
    if (options->name != NULL &&
        strcmp(options->name, store_identity(node->store)->name) != 0)
        return refuse_other(node, place, "", err);
    return options->join != NULL ? check_fleet(node, place, options->join, err)
                                 : STATUS_OK;
}

static enum status check_member(const struct node *node,
                                const struct init_options *options, const char *place,
                                struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t founder = 0;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_FOUNDER, &founder, err);
    store_abort(txn);
    if (status != STATUS_OK)
        return status;
    if (founder != 0)
        return refuse_other(node, place, ", which founded its fleet", err);
    if (options->from != NULL && options->join != NULL)
        return STATUS_OK;
    return error_set(
        err, STATUS_REFUSED,
        "%s: node %s has joined its fleet already: `rowferry conflicts` lists "
        "which rows gave way",
        place, store_identity(node->store)->name);
}

static enum status remember(const struct node *node, const struct init_options *options,
                            struct join_plan *plan, struct error *err)
{
    plan->create_tables = plan->create_tables || options->create_tables;
    plan->take_over = plan->take_over || options->take_over;
    if (options->prefer != PREFER_NEITHER)
        plan->prefer = options->prefer;
    return join_remember(node->store, plan, err);
}

static enum status say_again(const struct node *node, const struct init_options *options,
                             const char *place, struct init_report *report,
                             struct error *err)
{
    const struct identity *identity = store_identity(node->store);
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && !plan.pending)
        status = check_member(node, options, place, err);
    if (status == STATUS_OK && plan.pending)
        status = remember(node, options, &plan, err);
    if (status != STATUS_OK)
        return status;
    report->again = true;
    report->joins = plan.pending;
    report->prefer = plan.prefer;
    report->node = identity->node;
    memcpy(report->name, identity->name, sizeof report->name);
    memcpy(report->fleet, identity->fleet, sizeof report->fleet);
    return STATUS_OK;
}

enum status join_again(const struct init_options *options, const char *place,
                       const char *url, struct init_report *report, struct error *err)
{
    struct node *node = NULL;
    enum status status = node_open(&node, place, 0, err);

    if (status == STATUS_OK)
        status = check_same(node, options, place, url, err);
    /* A first sync at work reads what is remembered under this lock. */
    if (status == STATUS_OK)
        status = store_lock(node->store, LOCK_IMPORT, err);
    if (status == STATUS_OK) {
        status = say_again(node, options, place, report, err);
        store_unlock(node->store, LOCK_IMPORT);
    }
    node_close(node);
    return status;
}
