#include "tests/simulation/observe.h"

#include "log/conflicts.h"
#include "log/image.h"
#include "node/diff.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

static struct error err;

#define MUST(call) cr_assert_eq((call), STATUS_OK, "%s: %s", #call, err.text)

static struct store_txn *begin(struct fleet_node *node)
{
    struct store_txn *txn = NULL;

    MUST(store_begin(node_store(node->node), TXN_READ, &txn, &err));
    return txn;
}

/* ---- the database */

static int16_t column_number(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return MODEL_NULL;
    case SQLITE_TEXT:
        return (int16_t)model_number(
            (const char *)sqlite3_column_text(statement, column));
    default:
        return (int16_t)sqlite3_column_int(statement, column);
    }
}

void observe_rows(struct fleet_node *node, const struct model_schema *schema,
                  struct model_rows *out)
{
    memset(out, 0, sizeof *out);
    for (int t = 0; t < schema->table_count; t++) {
        sqlite3_stmt *statement = NULL;
        char sql[64];
        int rc;

        (void)snprintf(sql, sizeof sql, "SELECT * FROM %s", schema->tables[t].name);
        cr_assert_eq(sqlite3_prepare_v2(node->application, sql, -1, &statement, NULL),
                     SQLITE_OK);
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
            int key = sqlite3_column_int(statement, 0) - 1;
            struct model_row *row = &out->rows[t][key];

            cr_assert(key >= 0 && key < (int)MODEL_KEYS);
            row->live = true;
            for (int c = 0; c < schema->tables[t].column_count; c++)
                row->values[c] = column_number(statement, c + 1);
        }
        cr_assert_eq(rc, SQLITE_DONE);
        cr_assert_eq(sqlite3_finalize(statement), SQLITE_OK);
    }
}

/* ---- vectors */

struct oracle_vector observe_vector(const struct oracle *oracle,
                                    const struct version_vector *vector)
{
    struct oracle_vector out = {{0}};

    for (int i = 0; i < oracle->node_count; i++)
        out.of[i] = version_vector_get(vector, oracle->nodes[i].id);
    return out;
}

void observe_to_vector(const struct oracle *oracle, const struct oracle_vector *from,
                       struct version_vector *out)
{
    for (int i = 0; i < oracle->node_count; i++)
        MUST(version_vector_set(out, oracle->nodes[i].id, from->of[i], &err));
}

uint64_t observe_clock(struct fleet_node *node)
{
    struct store_txn *txn = begin(node);
    uint64_t clock_us = 0;

    MUST(meta_get(txn, META_CLOCK, &clock_us, &err));
    store_abort(txn);
    return clock_us;
}

/* ---- reporting */

static char letter_of(const struct oracle *oracle, uint64_t id)
{
    for (int i = 0; i < oracle->node_count; i++) {
        if (oracle->nodes[i].id == id)
            return (char)('a' + i);
    }
    return id == 0 ? '-' : '?';
}

static void print_version(const struct oracle *oracle,
                          const struct model_version *version, FILE *report)
{
    int64_t us =
        version->stamp_us == 0 ? 0 : (int64_t)(version->stamp_us - FLEET_EPOCH_US);

    (void)fprintf(report, "%c%" PRIu64 "/%" PRIu32 "@%" PRId64,
                  letter_of(oracle, version->origin), version->seq, version->place, us);
}

static void print_row(const struct oracle *oracle, int table, const struct model_row *row,
                      bool versions, FILE *report)
{
    const struct model_table *self = &oracle->schema->tables[table];

    if (!row->live) {
        (void)fprintf(report, "no row");
    } else {
        for (int c = 0; c < self->column_count; c++) {
            int value = row->values[c];

            (void)fprintf(report, "%s%s=", c > 0 ? " " : "", self->columns[c].name);
            if (value == MODEL_NULL)
                (void)fprintf(report, "NULL");
            else if (self->columns[c].is_text && value >= 0)
                (void)fprintf(report, "'%s'", model_text(value));
            else
                (void)fprintf(report, "%d", value);
        }
    }
    if (!versions)
        return;
    (void)fprintf(report, " version ");
    print_version(oracle, &row->version, report);
    if (row->live) {
        (void)fprintf(report, " born ");
        print_version(oracle, &row->born, report);
    }
}

static void print_difference(const struct oracle *oracle, int number, const char *what,
                             int table, int key, const struct model_row *has,
                             const struct model_row *should, bool versions, FILE *report)
{
    (void)fprintf(report, "%c: %s: %s %d:\n    has     ", 'a' + number, what,
                  oracle->schema->tables[table].name, key + 1);
    print_row(oracle, table, has, versions, report);
    (void)fprintf(report, "\n    should  ");
    print_row(oracle, table, should, versions, report);
    (void)fprintf(report, "\n");
}

/* ---- the row index */

static struct model_version model_version_of(const struct version *version)
{
    return (struct model_version){version->stamp_us, version->origin, version->origin_seq,
                                  version->place};
}

static void decode_values(struct store_txn *txn, const struct row *row,
                          struct model_row *out)
{
    struct table from;
    struct image image;

    MUST(tables_find(txn, row->definition_origin, row->definition, &from, &err));
    image_init(&image);
    MUST(image_decode(&image, row->image, from.definition, row->key, &err));
    for (uint32_t i = 1; i < image.count && i <= MODEL_COLUMNS_MAX; i++) {
        const struct value *value = &image.values[i];
        char text[8] = "";

        out->values[i - 1] = MODEL_NULL;
        if (value->type == VALUE_INTEGER)
            out->values[i - 1] = (int16_t)value->integer;
        if (value->type == VALUE_TEXT && value->bytes.size < sizeof text) {
            memcpy(text, value->bytes.data, value->bytes.size);
            out->values[i - 1] = (int16_t)model_number(text);
        }
    }
    image_release(&image);
}

static void observe_winner(struct store_txn *txn, uint32_t table, int key,
                           struct model_row *out)
{
    struct value number = {.type = VALUE_INTEGER, .integer = key + 1};
    struct buffer bytes;
    struct row row;
    enum status status;

    memset(out, 0, sizeof *out);
    buffer_init(&bytes);
    MUST(row_key_put(&bytes, &number, &err));
    status = rows_get(txn, table, buffer_view(&bytes), &row, &err);
    if (status == STATUS_OK) {
        out->live = row.live;
        out->version = model_version_of(&row.version);
        out->born = model_version_of(&row.born);
        if (row.live)
            decode_values(txn, &row, out);
    } else {
        cr_assert_eq(status, STATUS_NOT_FOUND, "%s", err.text);
    }
    buffer_release(&bytes);
}

static bool same_row(const struct model_row *a, const struct model_row *b, int columns)
{
    return model_same_content(a, b, columns) &&
           model_version_compare(&a->version, &b->version) == 0 &&
           (!a->live || model_version_compare(&a->born, &b->born) == 0);
}

static bool check_index(const struct oracle *oracle, int number, struct store_txn *txn,
                        FILE *report)
{
    struct model_rows should;
    bool same = true;

    oracle_index(oracle, &oracle->nodes[number].holds, &should);
    for (int t = 0; t < oracle->schema->table_count; t++) {
        uint32_t table = 0;

        MUST(tables_id(txn, oracle->schema->tables[t].name, &table, &err));
        for (int k = 0; k < (int)MODEL_KEYS; k++) {
            struct model_row has;

            observe_winner(txn, table, k, &has);
            if (same_row(&has, &should.rows[t][k],
                         oracle->schema->tables[t].column_count))
                continue;
            print_difference(oracle, number, "row index", t, k, &has, &should.rows[t][k],
                             true, report);
            same = false;
        }
    }
    return same;
}

/* ---- conflicts */

/* The entry and change that a record names as its loser; false: there was no such write.
 */
static bool find_loser(const struct oracle *oracle, struct store_txn *txn,
                       const struct conflict *conflict, size_t *entry, int *change)
{
    struct bytes key = conflict->key;
    struct buffer scratch;
    struct value value = {0};
    const char *name;

    buffer_init(&scratch);
    MUST(row_key_take(&key, &value, &scratch, &err));
    buffer_release(&scratch);
    MUST(tables_name(txn, conflict->table, &name, &err));
    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *at = &oracle->entries[e];

        if (at->seq != conflict->loser.version.origin_seq ||
            oracle->nodes[at->node].id != conflict->loser.version.origin)
            continue;
        for (int i = 0; i < at->change_count; i++) {
            if (at->changes[i].key + 1 == (int)value.integer &&
                strcmp(oracle->schema->tables[at->changes[i].table].name, name) == 0) {
                *entry = e;
                *change = i;
                return true;
            }
        }
    }
    return false;
}

/* How often each change is recorded as a loser. */
static bool count_records(const struct oracle *oracle, int number, struct store_txn *txn,
                          uint8_t (*records)[ORACLE_CHANGES_MAX], FILE *report)
{
    uint64_t count = 0;
    bool same = true;

    MUST(conflict_count(txn, &count, &err));
    for (uint64_t i = 1; i <= count; i++) {
        struct conflict conflict;
        size_t entry;
        int change;

        MUST(conflict_get(txn, i, &conflict, &err));
        if (find_loser(oracle, txn, &conflict, &entry, &change)) {
            records[entry][change]++;
        } else {
            (void)fprintf(report,
                          "%c: conflict %" PRIu64 " names a write that nobody made\n",
                          'a' + number, i);
            same = false;
        }
    }
    return same;
}

static bool check_conflicts(const struct oracle *oracle, int number,
                            struct store_txn *txn, FILE *report)
{
    const struct oracle_vector *holds = &oracle->nodes[number].holds;
    uint8_t(*records)[ORACLE_CHANGES_MAX] =
        calloc(oracle->entry_count + 1, sizeof *records);
    bool same;

    cr_assert_not_null(records);
    same = count_records(oracle, number, txn, records, report);
    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *entry = &oracle->entries[e];

        if (entry->seq > holds->of[entry->node])
            continue;
        for (int i = 0; i < entry->change_count; i++) {
            const struct oracle_change *change = &entry->changes[i];
            int should = oracle_is_loser(oracle, holds, entry, change);

            if (records[e][i] == should)
                continue;
            (void)fprintf(report, "%c: conflicts: %s %d of ", 'a' + number,
                          oracle->schema->tables[change->table].name, change->key + 1);
            print_version(oracle, &change->row.version, report);
            (void)fprintf(report, " is recorded %d times as a loser, not %d\n",
                          records[e][i], should);
            same = false;
        }
    }
    free(records);
    return same;
}

/* ---- all of it */

bool observe_store(const struct oracle *oracle, int number, struct fleet_node *node,
                   FILE *report)
{
    const struct oracle_node *should = &oracle->nodes[number];
    struct version_vector vector;
    struct oracle_vector holds;
    uint64_t clock_us = observe_clock(node);
    struct store_txn *txn;
    bool same = true;

    version_vector_init(&vector);
    fleet_vector(node, &vector);
    holds = observe_vector(oracle, &vector);
    version_vector_release(&vector);
    for (int i = 0; i < oracle->node_count; i++) {
        if (holds.of[i] == should->holds.of[i])
            continue;
        (void)fprintf(report, "%c: holds %" PRIu64 " entries of %c, not %" PRIu64 "\n",
                      'a' + number, holds.of[i], 'a' + i, should->holds.of[i]);
        same = false;
    }
    if (clock_us != should->clock_us) {
        (void)fprintf(report, "%c: clock is at %" PRId64 ", not %" PRId64 "\n",
                      'a' + number, (int64_t)(clock_us - FLEET_EPOCH_US),
                      (int64_t)(should->clock_us - FLEET_EPOCH_US));
        same = false;
    }
    txn = begin(node);
    same &= check_index(oracle, number, txn, report);
    same &= check_conflicts(oracle, number, txn, report);
    store_abort(txn);
    return same;
}

bool observe_database(const struct oracle *oracle, int number, struct fleet_node *node,
                      FILE *report)
{
    struct model_rows rows;
    bool same = true;

    observe_rows(node, oracle->schema, &rows);
    for (int t = 0; t < oracle->schema->table_count; t++) {
        for (int k = 0; k < (int)MODEL_KEYS; k++) {
            const struct model_row *has = &rows.rows[t][k];
            const struct model_row *should = &oracle->nodes[number].held.rows[t][k];

            if (model_same_content(has, should, oracle->schema->tables[t].column_count))
                continue;
            print_difference(oracle, number, "database", t, k, has, should, false,
                             report);
            same = false;
        }
    }
    return same;
}

static bool print_diff_row(void *data, const struct diff_row *row)
{
    static const char *const kinds[] = {"missing", "extra", "changed"};
    struct bytes key = row->key;
    struct buffer scratch;
    struct value value = {0};

    buffer_init(&scratch);
    MUST(row_key_take(&key, &value, &scratch, &err));
    buffer_release(&scratch);
    (void)fprintf(data, "    %s %" PRId64 " is %s\n", row->definition->name,
                  value.integer, kinds[row->kind]);
    return true;
}

bool observe_diff(const struct oracle *oracle, int number, struct fleet_node *node,
                  FILE *report)
{
    struct diff_options options = {.foreign_keys = true};
    struct diff_counts counts;
    struct error why = {""};
    uint64_t parked = 0;
    enum status status = diff_database(node_store(node->node), node_database(node->node),
                                       &options, print_diff_row, report, &counts, &why);

    for (int t = 0; t < oracle->schema->table_count; t++) {
        for (int k = 0; k < (int)MODEL_KEYS; k++)
            parked += oracle->nodes[number].parked[t][k];
    }
    if (status != STATUS_OK)
        (void)fprintf(report, "%c: diff: %s\n", 'a' + number, why.text);
    if (counts.parked != parked)
        (void)fprintf(report, "%c: diff: %" PRIu64 " rows parked, not %" PRIu64 "\n",
                      'a' + number, counts.parked, parked);
    return status == STATUS_OK && counts.parked == parked;
}
