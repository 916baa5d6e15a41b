/* The store of a node that is made (init.c). */
#include "node/init_private.h"

#include "node/foreign_keys.h"
#include "node/numbers.h"

#include <string.h>

static enum status put_meta(struct making *making, struct error *err)
{
    struct join_plan plan = {
        .pending = true,
        .create_tables = making->options->create_tables,
        /* A dead init may have been about to found a fleet. */
        .take_over = making->options->take_over ||
                     (making->left_id != 0 && making->owner == making->left_id),
        .prefer = making->options->prefer,
    };
    struct store_txn *txn = NULL;
    enum status status = store_begin(making->store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_DATABASE, bytes_of_text(making->url.text), err);
    if (status == STATUS_OK && making->options->join == NULL)
        status = meta_put(txn, META_FOUNDER, 1, err);
    if (status == STATUS_OK) {
        status = store_commit(txn, err);
        txn = NULL;
    }
    store_abort(txn);
    if (status == STATUS_OK && making->options->join != NULL)
        return join_remember(making->store, &plan, err);
    return status == STATUS_OK
               ? foreign_keys_remember(making->store, making->report->broken == NULL, err)
               : status;
}

/* Whether the store that a dead init left is one that this init would make, with some of
 * the rows in it: their slot has kept what was written since. */
static enum status is_begun(const struct making *making, struct store *store, bool *begun,
                            struct error *err)
{
    const struct identity *identity = store_identity(store);
    const char *name = making->options->name;
    struct store_txn *txn = NULL;
    struct bytes database = {0};
    uint64_t lsn = 0;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_DATABASE, &database, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LSN, &lsn, err);
    *begun = status == STATUS_OK && lsn != 0 && identity->node == making->left_id &&
             bytes_equal(database, bytes_of_text(making->url.text)) &&
             (name == NULL || strcmp(name, identity->name) == 0);
    store_abort(txn);
    return status;
}

/* Whether it was to hold the same tables, from the same slot. */
static bool is_asked_alike(const struct making *making)
{
    struct config config;
    struct error ignored;
    bool alike;

    config_init(&config);
    config.rules.postgres = making->config.rules.postgres;
    alike = config_read(&config, cradle_folder(making->cradle), &ignored) == STATUS_OK &&
            config_captures_same(&config, &making->config);
    config_release(&config);
    return alike;
}

/* It is this node's from here on, or not there: whatever is wrong with it. */
static void take_up(struct making *making)
{
    struct store *store = NULL;
    struct error ignored;

    if (making->options->join == NULL && making->left_id != 0 && is_asked_alike(making) &&
        store_open(&store, cradle_folder(making->cradle), STORE_READ_ONLY, &ignored) ==
            STATUS_OK &&
        is_begun(making, store, &making->begun, &ignored) == STATUS_OK && making->begun)
        making->identity = *store_identity(store);
    store_close(store);
    if (!making->begun)
        cradle_empty(making->cradle);
}

static enum status fill_store(struct making *making, struct error *err)
{
    const struct wall_clock *clock = making->options->clock;
    const char *folder = cradle_folder(making->cradle);
    enum status status = STATUS_OK;

    if (!making->begun)
        status = store_create(folder, &making->identity, err);
    if (status == STATUS_OK)
        status = table_rules_set(&making->config.database, making->url.text, err);
    if (status == STATUS_OK)
        status = config_write(&making->config, folder, err);
    if (status == STATUS_OK)
        status = store_open(&making->store, folder, STORE_READ_WRITE, err);
    if (status != STATUS_OK)
        return status;
    store_set_progress(making->store, making->options->progress);
    if (clock != NULL)
        store_set_clock(making->store, clock, making->config.max_skew_us);
    return put_meta(making, err);
}

enum status making_store(struct making *making, struct error *err)
{
    enum status status = cradle_open(&making->cradle, making->place, err);

    if (status != STATUS_OK)
        return status;
    take_up(making);
    status = cradle_keep_id(making->cradle, making->identity.node, err);
    return status == STATUS_OK ? fill_store(making, err) : status;
}

static enum status copy_rows(struct making *making, struct error *err)
{
    struct database_use use = {
        .store = making->store,
        .config = &making->config,
        .foreign_keys = making->config.foreign_keys == FOREIGN_KEYS_ON,
        .rows = making->report->rows,
    };
    struct database *database = making->database;
    struct capture_counts counts = {0};
    struct source *source = NULL;
    enum status status = store_lock(making->store, LOCK_CAPTURE, err);

    if (status == STATUS_OK)
        status = store_lock(making->store, LOCK_APPLY, err);
    if (status == STATUS_OK && !making->begun)
        status = join_log_member(making->store, database->kind, false, err);
    if (status == STATUS_OK)
        status = database->ops->open_source(database, &use, &source, err);
    if (status == STATUS_OK)
        status = source->ops->base(source, &counts, err);
    if (source != NULL)
        source->ops->close(source);
    return status;
}

/* What was copied is no use any more: its slot is gone, or the tables are others. */
static enum status begin_anew(struct making *making, struct error *err)
{
    if (making->options->notice != NULL) {
        making->options->notice(
            making->options->notice_data,
            "what an init before this one had copied can't be gone on "
            "with: all rows are copied anew");
    }
    store_close(making->store);
    making->store = NULL;
    making->begun = false;
    cradle_empty(making->cradle);
    return fill_store(making, err);
}

/* Whether there is something in the store that the same init can go on with. */
static bool holds_rows(struct making *making)
{
    struct error ignored;
    struct store_txn *txn = NULL;
    uint64_t lsn = 0;
    bool holds = making->store != NULL &&
                 store_begin(making->store, TXN_READ, &txn, &ignored) == STATUS_OK &&
                 meta_get(txn, META_LSN, &lsn, &ignored) == STATUS_OK && lsn != 0;

    store_abort(txn);
    return holds;
}

enum status making_found(struct making *making, struct error *err)
{
    enum status status = copy_rows(making, err);

    if (status == STATUS_REFUSED && making->begun) {
        status = begin_anew(making, err);
        if (status == STATUS_OK)
            status = copy_rows(making, err);
    }
    if (status != STATUS_OK && holds_rows(making))
        making->end = CRADLE_KEEP_ALL;
    return status;
}

/* rowferry_state is the last thing before the rename: little can go wrong after it. */
enum status making_place(struct making *making, struct error *err)
{
    bool founds = making->options->join == NULL;
    struct database *database = making->database;
    struct numbers numbers = {
        .database = database_sqlite(database),
        .postgres = database_postgres(database),
        .store = making->store,
        .config = &making->config,
        .catalog = &making->report->catalog,
        .notice = making->options->notice,
        .notice_data = making->options->notice_data,
    };
    struct error ignored;
    enum status status = numbers_begin(&numbers, err);

    if (status == STATUS_OK && founds)
        status = database->ops->claim(database, making->store, err);
    store_close(making->store);
    making->store = NULL;
    if (status == STATUS_OK)
        status = cradle_place(making->cradle, err);
    if (status != STATUS_OK && status != STATUS_BUSY && founds &&
        database->ops->unclaim(database, &ignored) != STATUS_OK) {
        making->end = CRADLE_KEEP;
        (void)error_wrap(err, status,
                         "rowferry_state may be left in the database, which the same "
                         "init takes over");
    }
    return status;
}
