/* Memory that runs out at each allocation in turn: every call says so, and gives back
 * what it had taken (the sanitizer looks). */
#include "engine/sqlite_catalog.h"
#include "engine/sqlite_stored.h"
#include "tests/support/failing_memory.h"

#include <criterion/criterion.h>

enum { CALLS_MAX = 10000 };

static const char schema[] =
    "CREATE TABLE p (a TEXT COLLATE nocase, b DECIMAL, PRIMARY KEY (a, b));"
    "CREATE TABLE t (i INTEGER PRIMARY KEY, v DECIMAL UNIQUE, w, x, g AS (v),"
    " FOREIGN KEY (w, x) REFERENCES p);"
    "CREATE UNIQUE INDEX u ON t (lower(w), x) WHERE v > 1; CREATE TABLE nokey (a)";

static struct error err;

static enum status compare(struct sqlite_database *database,
                           const struct definition *definition)
{
    const struct value was[] = {
        {.type = VALUE_INTEGER,           .integer = 1},
        {.type = VALUE_TEXT,                               .bytes = bytes_of_text("1.50")},
        {.type = VALUE_NULL},
        {.type = VALUE_NULL             },
    };
    const struct value now[] = {
        was[0], {.type = VALUE_REAL, .real = 1.5},
         was[2], was[0]
    };
    struct buffer key = {0}, held = {0}, image = {0}, before = {0};
    struct row_comparer *comparer = NULL;
    bool changed = false;
    enum status status = image_key(&key, was, definition, &err);

    image_encode(&held, was, definition);
    if (status == STATUS_OK)
        status = buffer_check(&held, &err);
    if (status == STATUS_OK)
        status = sqlite_comparer_open(&comparer, database, definition, &err);
    if (status == STATUS_OK)
        status = row_compare_held(comparer, buffer_view(&key), buffer_view(&held),
                                  definition, now, &changed, &image, &before, &err);
    if (status == STATUS_OK) {
        cr_expect(changed);
        status = row_compare_gone(comparer, buffer_view(&key), buffer_view(&held),
                                  definition, &before, &err);
    }
    row_comparer_close(comparer);
    buffer_release(&key);
    buffer_release(&held);
    buffer_release(&image);
    buffer_release(&before);
    return status;
}

static enum status read_and_compare(struct sqlite_database *database)
{
    struct catalog catalog = {0};
    uint32_t group[2];
    enum status status = sqlite_begin_read(database, &err);

    if (status == STATUS_OK)
        status = sqlite_catalog_read(database, NULL, NULL, &catalog, &err);
    if (status == STATUS_OK)
        status = foreign_key_groups((const struct definition *const *)catalog.definitions,
                                    catalog.count, group, &err);
    if (status == STATUS_OK)
        status = compare(database, catalog.definitions[1]);
    catalog_release(&catalog);
    sqlite_rollback(database);
    return status;
}

Test(sqlite_memory, running_out_is_told_and_leaves_nothing_behind)
{
    struct sqlite_database *database;
    enum status status = STATUS_NO_MEMORY;
    unsigned calls = 0;

    cr_assert_eq(sqlite_memory_open(&database, &err), STATUS_OK);
    cr_assert_eq(sqlite_execute(database, schema, &err), STATUS_OK, "%s", err.text);
    for (; status == STATUS_NO_MEMORY && calls < CALLS_MAX; calls++) {
        failing_memory_start(calls);
        status = read_and_compare(database);
        (void)failing_memory_stop();
    }
    cr_expect_eq(status, STATUS_OK, "%s", err.text);
    cr_expect_gt(calls, 20, "%u calls", calls);
    sqlite_database_close(database);
}

Test(sqlite_memory, a_database_can_not_be_opened_without)
{
    struct sqlite_database *database;

    failing_memory_start(0);
    cr_expect_eq(sqlite_memory_open(&database, &err), STATUS_NO_MEMORY);
    (void)failing_memory_stop();
    cr_expect_null(database);
}
