/* Tables that were made after capture began, or take part since then.
 *
 * Happy path, for each of them: what was committed is captured; the table is locked, so
 * that whoever has written to it has ended and nobody writes; it is published, and
 * another session takes a snapshot; what was committed meanwhile is captured, the table's
 * own rows passed over; the lock ends. From here on the stream tells of the table what
 * comes after the snapshot, and only that. Then the snapshot's rows are laid, and with
 * their entry the table counts as captured. Writers wait for the lock and for what
 * capture has to catch up with, not for the rows.
 *
 * The lock is also what makes the publication reliable: a transaction that had written to
 * the table before it was published would be told by half, and some servers would tell
 * nothing of the table after it.
 *
 * Killed anywhere, the table may be published and does not count: its rows are passed
 * over until the next call, which does all of this again. What writers hold for longer
 * than a moment is left to the next call, too. A table that was dropped and made anew is
 * another one: the rows that it has not are deleted. */
#include "capture/postgres_order.h"
#include "capture/postgres_source_private.h"

#include "engine/postgres_catalog.h"
#include "engine/postgres_publication.h"
#include "log/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 3 }; /* when the tables change while one is taken */

struct taking {
    struct postgres_source *self;
    source_notice_cb notice; /* NULL: nothing is said */
    void *data;
    PGresult *found; /* of look_sql */
    bool again;      /* tables were changed meanwhile: look once more */
};

static void say(const struct taking *taking, const char *table, const char *what)
{
    char *line = NULL;

    if (taking->notice == NULL || asprintf(&line, "%s: %s", table, what) < 0)
        return;
    taking->notice(taking->data, line);
    free(line);
}

/* ---- what there is */

/* Tables that are not captured, the oldest first; then oids of those that are and are not
 * there any more. */
static const char look_sql[] =
    "SELECT c.oid, format('%I.%I', n.nspname, c.relname), 1 FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'"
    " AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'rowferry')"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
    "  AND d.objid = c.oid AND d.deptype = 'e')"
    " AND NOT EXISTS (SELECT FROM unnest($1::oid[]) t WHERE t = c.oid)"
    " UNION ALL SELECT t, NULL, 2 FROM unnest($1::oid[]) t"
    "  WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t)"
    " ORDER BY 3, 1";

static uint32_t found_oid(const struct taking *taking, int row)
{
    return (uint32_t)strtoul(PQgetvalue(taking->found, row, 0), NULL, 10);
}

static bool is_gone(const struct taking *taking, int row)
{
    return PQgetisnull(taking->found, row, 1);
}

/* Whether the table's rows are to be told, as far as its owner says. */
static enum status wants(const struct postgres_source *self, const char *name,
                         bool *wanted, struct error *err)
{
    const struct table_rules *rules = self->options.rules;
    enum status status = table_rules_wants(rules, name, wanted, err);

    *wanted = *wanted && table_rules_direction(rules, name) != TABLE_IN;
    return status;
}

/* *new, *gone: whether there is a table to be taken, to be forgotten. */
static enum status look(struct taking *taking, bool *new, bool *gone, struct error *err)
{
    struct postgres_source *self = taking->self;
    struct buffer oids = {0};
    const char *parameter;
    enum status status = postgres_taken_put_oids(&self->taken, &oids, err);

    *new = *gone = false;
    PQclear(taking->found);
    taking->found = NULL;
    parameter = (const char *)oids.data;
    if (status == STATUS_OK)
        status =
            postgres_query(self->postgres, look_sql, 1, &parameter, &taking->found, err);
    buffer_release(&oids);
    for (int row = 0; status == STATUS_OK && row < PQntuples(taking->found); row++) {
        bool wanted = false;

        *gone = *gone || is_gone(taking, row);
        if (!*new && !is_gone(taking, row))
            status = wants(self, PQgetvalue(taking->found, row, 1), &wanted, err);
        *new = *new || wanted;
    }
    return status;
}

/* ---- those that take part no longer */

/* The rules are this process's: once is enough. */
static enum status forget_unwanted(struct taking *taking, struct error *err)
{
    struct postgres_source *self = taking->self;
    size_t was = self->taken.count;

    for (size_t i = self->taken.count; i > 0; i--) {
        bool wanted = false;
        enum status status = wants(self, self->taken.list[i - 1].name, &wanted, err);

        if (status != STATUS_OK)
            return status;
        if (!wanted)
            postgres_taken_remove(&self->taken, i - 1);
    }
    return self->taken.count == was
               ? STATUS_OK
               : postgres_run_keep_taken(self, self->taken.count, err);
}

static bool is_there_anew(const struct taking *taking, const char *name)
{
    for (int row = 0; row < PQntuples(taking->found); row++)
        if (!is_gone(taking, row) && strcmp(PQgetvalue(taking->found, row, 1), name) == 0)
            return true;
    return false;
}

/* All that was told of them has been laid. */
static enum status forget_gone(struct taking *taking, struct error *err)
{
    struct postgres_source *self = taking->self;

    for (int row = 0; row < PQntuples(taking->found); row++) {
        uint32_t oid = found_oid(taking, row);
        size_t place = 0;

        while (place < self->taken.count && self->taken.list[place].oid != oid)
            place++;
        if (!is_gone(taking, row) || place == self->taken.count)
            continue;
        if (!is_there_anew(taking, self->taken.list[place].name))
            say(taking, self->taken.list[place].name,
                "is not in the database any more; the fleet keeps its rows");
        postgres_taken_remove(&self->taken, place);
    }
    return postgres_run_keep_taken(self, self->taken.count, err);
}

/* ---- one that is new */

/* Begin the transaction that locks the table. BUSY: somebody holds it, or it is not the
 * one that was found. */
static enum status lock(struct postgres *locked, const char *name, uint32_t oid,
                        struct error *err)
{
    const char *parameters[] = {name};
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum status status = postgres_begin(locked, err);

    if (status != STATUS_OK)
        return status;
    buffer_put_bytes(&sql, bytes_of_text("SET LOCAL lock_timeout = '2s'; LOCK TABLE "));
    buffer_put_bytes(&sql, bytes_of_text(name));
    buffer_put_bytes(&sql, bytes_of_text(" IN SHARE ROW EXCLUSIVE MODE"));
    status = postgres_execute_buffer(locked, &sql, err);
    if (status == STATUS_OK)
        status = postgres_query(locked, "SELECT to_regclass($1)::oid", 1, parameters,
                                &result, err);
    if (status == STATUS_OK && strtoul(PQgetvalue(result, 0, 0), NULL, 10) != oid)
        status = error_set(err, STATUS_NOT_FOUND, "%s: made anew meanwhile", name);
    PQclear(result);
    return status;
}

/* Begin the transaction that reads the table, which nobody changes until it ends. */
static enum status see(struct postgres *read, const char *name, struct error *err)
{
    struct buffer sql = {0};

    buffer_put_bytes(&sql, bytes_of_text("BEGIN ISOLATION LEVEL REPEATABLE READ READ "
                                         "ONLY; SELECT FROM "));
    buffer_put_bytes(&sql, bytes_of_text(name));
    buffer_put_bytes(&sql, bytes_of_text(" LIMIT 0"));
    return postgres_execute_buffer(read, &sql, err);
}

/* One table that is to be taken. */
struct late {
    uint32_t oid;
    const char *name; /* of taking->found */
    uint32_t number;  /* of its definition, as it is logged */
    struct postgres *locked, *read;
};

static enum status open_late(struct taking *taking, struct late *late, struct error *err)
{
    const char *url = postgres_url(taking->self->postgres);
    enum status status = postgres_open(&late->locked, url, POSTGRES_WRITE, err);

    return status == STATUS_OK ? postgres_open(&late->read, url, POSTGRES_READ, err)
                               : status;
}

static enum status add_to_publication(struct postgres_source *self, struct late *late,
                                      struct error *err)
{
    const char *name = self->options.publication;
    const char *tables[] = {late->name};
    enum status status;

    if (!self->options.publication_is_given)
        return postgres_publication_add(late->locked, name, late->name, err);
    status = postgres_publication_check(late->locked, name, tables, 1, err);
    /* Its administrator's to mend: the others go on without the table. */
    return status == STATUS_REFUSED ? error_wrap(err, STATUS_UNAVAILABLE, "publication")
                                    : status;
}

/* From here to the end of locked's transaction nobody writes the table. */
static enum status publish(struct taking *taking, struct late *late, struct error *err)
{
    struct postgres_source *self = taking->self;
    int64_t version = 0;
    enum status status = open_late(taking, late, err);

    if (status == STATUS_OK)
        status = lock(late->locked, late->name, late->oid, err);
    if (status == STATUS_OK)
        status = postgres_schema_version(late->locked, &version, err);
    if (status == STATUS_OK && version != self->catalog.schema_version)
        status = error_set(err, STATUS_NOT_FOUND, "%s: tables were changed", late->name);
    if (status == STATUS_OK)
        status = add_to_publication(self, late, err);
    return status == STATUS_OK ? see(late->read, late->name, err) : status;
}

/* The table is published and locked: what was told of it before is in its rows. */
static enum status copy(struct taking *taking, struct late *late, struct error *err)
{
    struct postgres_source *self = taking->self;
    size_t counting = self->taken.count;
    struct meta_update update = {META_TAKEN_COUNT, counting + 1};
    struct store_txn *txn;
    struct table table;
    enum status status = postgres_source_follow(self, err);

    if (status == STATUS_OK)
        status = postgres_commit(late->locked, err);
    if (status == STATUS_OK)
        status = postgres_taken_add(&self->taken, late->oid, late->name, err);
    if (status == STATUS_OK)
        status = postgres_run_keep_taken(self, counting, err);
    if (status == STATUS_OK)
        status = appender_txn(self->run.appender, &txn, err);
    if (status == STATUS_OK)
        status = tables_find(txn, store_identity(self->store)->node, late->number, &table,
                             err);
    return status == STATUS_OK
               ? postgres_source_lay_table(self, late->read, &table, &update, 1, err)
               : status;
}

/* The others go on without it. */
static enum status leave(struct taking *taking, const struct late *late,
                         enum status status, const struct error *err)
{
    struct postgres_source *self = taking->self;
    char why[sizeof err->text + 64];

    (void)snprintf(why, sizeof why, "not captured yet: %s",
                   status == STATUS_BUSY
                       ? "somebody writes it; the next capture tries again"
                       : err->text);
    if (self->looked.waits != late->oid)
        say(taking, late->name, why);
    self->looked.waits = late->oid;
    self->looked.any = self->looked.any && status != STATUS_BUSY;
    return STATUS_OK;
}

static enum status take(struct taking *taking, struct late *late, struct error *err)
{
    enum status status = publish(taking, late, err);

    if (status == STATUS_OK)
        status = copy(taking, late, err);
    else if (status == STATUS_NOT_FOUND)
        taking->again = true;
    else if (status == STATUS_BUSY || status == STATUS_UNAVAILABLE)
        status = leave(taking, late, status, err);
    postgres_close(late->locked);
    postgres_close(late->read);
    return taking->again ? STATUS_OK : status;
}

/* ---- all of them */

/* One that was found. */
struct found_table {
    uint32_t order; /* of its laying */
    int row;        /* of taking->found */
};

static int compare_found(const void *a, const void *b)
{
    const struct found_table *one = a, *other = b;

    if (one->order != other->order)
        return one->order < other->order ? -1 : 1;
    return one->row - other->row;
}

/* Those that are there, into out, which has room for all rows. */
static enum status order_found(const struct taking *taking, struct found_table *out,
                               int *count, struct error *err)
{
    struct postgres_order order = {0};
    enum status status = postgres_order_open(&order, &taking->self->catalog, err);

    *count = 0;
    while (*count < PQntuples(taking->found) && !is_gone(taking, *count)) {
        const char *name = PQgetvalue(taking->found, *count, 1);

        out[*count] = (struct found_table){postgres_order_of(&order, name), *count};
        ++*count;
    }
    postgres_order_close(&order);
    if (*count > 1)
        qsort(out, (size_t)*count, sizeof *out, compare_found);
    return status;
}

static enum status take_row(struct taking *taking, int row, struct error *err)
{
    struct postgres_source *self = taking->self;
    struct late late = {found_oid(taking, row), PQgetvalue(taking->found, row, 1), 0,
                        NULL, NULL};
    const struct definition *definition = catalog_find_local(&self->catalog, late.name);
    bool wanted = false;
    enum status status = wants(self, late.name, &wanted, err);

    if (status != STATUS_OK || !wanted || definition == NULL)
        return status;
    late.number = definition->number;
    return take(taking, &late, err);
}

static enum status take_new(struct taking *taking, struct error *err)
{
    struct found_table *found =
        calloc((size_t)PQntuples(taking->found) + 1, sizeof *found);
    int count = 0;
    enum status status = found == NULL
                             ? error_set(err, STATUS_NO_MEMORY, "tables: out of memory")
                             : order_found(taking, found, &count, err);

    for (int i = 0; status == STATUS_OK && !taking->again && i < count; i++)
        status = take_row(taking, found[i].row, err);
    free(found);
    return status;
}

/* What there is has been looked at under this version of the schema: without another one
 * the same tables are left again. */
static enum status look_for(struct taking *taking, struct error *err)
{
    struct postgres_source *self = taking->self;
    int64_t version = 0;
    bool new = false, gone = false;
    enum status status = look(taking, &new, &gone, err);

    if (status == STATUS_OK && (new || gone))
        status = postgres_schema_version(self->postgres, &version, err);
    if (status != STATUS_OK ||
        (!gone && (!new || (self->looked.any && self->looked.schema_version == version))))
        return status;
    if (self->catalog.schema_version != version)
        postgres_source_close_stream(self);
    status = postgres_source_follow(self, err);
    if (status == STATUS_OK && gone)
        status = forget_gone(taking, err);
    self->looked.any = true;
    self->looked.schema_version = self->catalog.schema_version;
    return status == STATUS_OK ? take_new(taking, err) : status;
}

static enum status take_tables(struct taking *taking, struct error *err)
{
    struct postgres_source *self = taking->self;
    enum status status = STATUS_OK;

    if (self->stream == NULL) {
        status = postgres_source_read_taken(self, err);
        if (status == STATUS_OK)
            status = forget_unwanted(taking, err);
        if (status == STATUS_OK)
            status = postgres_source_follow(self, err);
    }
    taking->again = true;
    for (int i = 0; status == STATUS_OK && taking->again && i < TRIES_MAX; i++) {
        taking->again = false;
        status = look_for(taking, err);
        if (taking->again)
            self->looked.any = false;
    }
    PQclear(taking->found);
    return status;
}

enum status postgres_source_take_tables(struct source *source, source_notice_cb notice,
                                        void *data, struct capture_counts *counts,
                                        struct error *err)
{
    struct postgres_source *self = postgres_source_of(source);
    struct taking taking = {.self = self, .notice = notice, .data = data};
    enum status status = postgres_run_open(self, err);

    if (status == STATUS_OK)
        status = take_tables(&taking, err);
    if (status != STATUS_OK)
        postgres_source_close_stream(self);
    postgres_run_close(self, counts);
    return status == STATUS_OK ? status
                               : error_wrap(err, status, postgres_url(self->postgres));
}
