#include "tests/support/parking_schema.h"

#include "log/image.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* The groups of the tables, parents first. */
enum { GROUP_T, GROUP_K, GROUP_S, GROUP_CIRCLE, GROUP_P, GROUP_C, GROUP_G };

const char parking_schema[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER, w TEXT, UNIQUE (u, "
    "v));"
    "CREATE UNIQUE INDEX t_w ON t (lower(w)) WHERE v > 0;"
    "CREATE TABLE k (id TEXT COLLATE NOCASE PRIMARY KEY, x INTEGER UNIQUE) WITHOUT ROWID;"
    "CREATE TABLE s (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE,"
    " parent INTEGER REFERENCES s);"
    "CREATE TABLE a (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, b INTEGER REFERENCES b "
    "(id));"
    "CREATE TABLE b (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, a INTEGER REFERENCES a "
    "(id));"
    "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE, code INTEGER UNIQUE);"
    "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p ON DELETE CASCADE,"
    " code INTEGER REFERENCES p (code), n INTEGER UNIQUE);"
    "CREATE TABLE g (id INTEGER PRIMARY KEY, c INTEGER REFERENCES c, x INTEGER);"
    "CREATE INDEX g_c ON g (c);";

const char parking_schema_free[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER, w TEXT);"
    "CREATE TABLE k (id TEXT PRIMARY KEY, x INTEGER) WITHOUT ROWID;"
    "CREATE TABLE s (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER);"
    "CREATE TABLE a (id INTEGER PRIMARY KEY, u INTEGER, b INTEGER);"
    "CREATE TABLE b (id INTEGER PRIMARY KEY, u INTEGER, a INTEGER);"
    "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT, code INTEGER);"
    "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, code INTEGER, n INTEGER);"
    "CREATE TABLE g (id INTEGER PRIMARY KEY, c INTEGER, x INTEGER);";

const struct parking_table parking_tables[PARKING_TABLES] = {
    {"t", {"u", "v", "w'", NULL}   },
    {"k", {"x", NULL, NULL, NULL}  },
    {"s", {"name'", "parent", NULL}},
    {"a", {"u", "b", NULL}         },
    {"b", {"u", "a", NULL}         },
    {"p", {"name'", "code", NULL}  },
    {"c", {"p", "code", "n", NULL} },
    {"g", {"c", "x", NULL}         },
};

/* ---- the rule's rows */

static struct rule_row rows[RULE_ROWS_MAX];
static size_t row_count;

static void text_of(const struct value *value, char out[16])
{
    if (value->type == VALUE_INTEGER)
        (void)snprintf(out, 16, "%lld", (long long)value->integer);
    else if (value->type == VALUE_TEXT) {
        (void)snprintf(out, 16, "%.*s", (int)value->bytes.size,
                       (const char *)value->bytes.data);
    } else {
        (void)snprintf(out, 16, "NULL");
    }
}

static bool is_null(const char *text)
{
    return strcmp(text, "NULL") == 0;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + 32);
}

/* text becomes "what=value", "" for NULL. */
static void set(char *text, const char *what, const char *value)
{
    (void)snprintf(text, RULE_TEXT_MAX, "%.16s=%.16s", what, value);
    if (is_null(value))
        text[0] = '\0';
}

static void refer(struct rule_row *row, size_t at, unsigned group, const char *what,
                  const char *value)
{
    set(row->refers[at], what, value);
    row->refers_group[at] = group;
}

/* The constraints of the schema above, written out again by hand. v: the values as text,
 * v[0] the key. */
static void describe(struct rule_row *row, const char *table,
                     char v[PARKING_COLUMNS + 1][16])
{
    switch (table[0]) {
    case 't':
        row->group = GROUP_T;
        if (!is_null(v[1]) && !is_null(v[2]))
            (void)snprintf(row->claims[0], RULE_TEXT_MAX, "t.uv=%s,%s", v[1], v[2]);
        lower(v[3]);
        if (!is_null(v[2]) && atoi(v[2]) > 0 && strcmp(v[3], "null") != 0)
            (void)snprintf(row->claims[1], RULE_TEXT_MAX, "t.w=%s", v[3]);
        break;
    case 'k':
        row->group = GROUP_K;
        lower(v[0]);
        set(row->claims[0], "k.id", v[0]);
        set(row->claims[1], "k.x", v[1]);
        break;
    case 's':
        row->group = GROUP_S;
        if (!is_null(v[1]))
            lower(v[1]);
        set(row->claims[0], "s.name", v[1]);
        set(row->provides[0], "s", v[0]);
        refer(row, 0, GROUP_S, "s", v[2]);
        break;
    case 'a':
    case 'b':
        row->group = GROUP_CIRCLE;
        set(row->claims[0], table[0] == 'a' ? "a.u" : "b.u", v[1]);
        set(row->provides[0], table, v[0]);
        refer(row, 0, GROUP_CIRCLE, table[0] == 'a' ? "b" : "a", v[2]);
        break;
    case 'p':
        row->group = GROUP_P;
        set(row->claims[0], "p.name", v[1]);
        set(row->claims[1], "p.code", v[2]);
        set(row->provides[0], "p", v[0]);
        set(row->provides[1], "p.code", v[2]);
        break;
    case 'c':
        row->group = GROUP_C;
        set(row->claims[0], "c.n", v[3]);
        set(row->provides[0], "c", v[0]);
        refer(row, 0, GROUP_P, "p", v[1]);
        refer(row, 1, GROUP_P, "p.code", v[2]);
        break;
    default:
        row->group = GROUP_G;
        refer(row, 0, GROUP_C, "c", v[1]);
    }
}

static void add_row(struct store_txn *txn, const char *name, const struct row *row)
{
    char v[PARKING_COLUMNS + 1][16];
    struct rule_row *out = &rows[row_count++];
    struct table table;
    struct image image;

    cr_assert_lt(row_count, RULE_ROWS_MAX);
    *out = (struct rule_row){.born = row->born};
    image_init(&image);
    OK(tables_find(txn, row->definition_origin, row->definition, &table, &err));
    OK(image_decode(&image, row->image, table.definition, row->key, &err));
    for (uint32_t i = 0; i < image.count; i++) {
        size_t size = strlen(out->content);

        text_of(&image.values[i], v[i]);
        (void)snprintf(out->content + size, sizeof out->content - size, "%s%s",
                       i == 0 ? "" : "|", v[i]);
    }
    (void)snprintf(out->name, sizeof out->name, "%s %s", name, v[0]);
    describe(out, name, v);
    image_release(&image);
}

/* All live winners of a store, decided. */
static void decide_store(struct apply_node *node)
{
    struct store_txn *txn;

    row_count = 0;
    OK(store_begin(node->scan.store, TXN_READ, &txn, &err));
    for (unsigned i = 0; i < PARKING_TABLES; i++) {
        struct row_cursor *cursor;
        struct row row;
        uint32_t id;
        enum status status = tables_id(txn, parking_tables[i].name, &id, &err);

        if (status == STATUS_NOT_FOUND)
            continue;
        OK(status);
        OK(row_cursor_open(&cursor, txn, id, false, &err));
        while (row_cursor_next(cursor, &row, &err) == STATUS_OK)
            if (row.live)
                add_row(txn, parking_tables[i].name, &row);
        row_cursor_close(cursor);
    }
    store_abort(txn);
    rule_decide(rows, row_count);
}

/* ---- comparing */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sort the lines of a text that ends each with ';'. */
static void sort_lines(char *text)
{
    char *lines[RULE_ROWS_MAX], *copy = strdup(text), *save = NULL;
    size_t count = 0;

    for (char *line = strtok_r(copy, ";", &save); line != NULL;
         line = strtok_r(NULL, ";", &save))
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char *end = text + strlen(text);

        (void)sprintf(end, "%s;", lines[i]);
    }
    free(copy);
}

/* The rule's rows by birth, for a failure's message. */
static const char *print_rule(void)
{
    static char text[RULE_ROWS_MAX * 100];
    FILE *out = fmemopen(text, sizeof text - 1, "w");

    for (size_t i = 0; i < row_count; i++) {
        (void)fprintf(out, "    %s:%s %s\n", rows[i].name, rows[i].content,
                      rows[i].shown       ? "shown"
                      : rows[i].placed    ? "inner"
                      : rows[i].candidate ? "unique"
                                          : "outer");
    }
    (void)fclose(out);
    return text;
}

/* What the rule says the table shows, and what the database does. */
static void compare_table(struct apply_node *node, unsigned table, const char *where)
{
    static char want[RULE_ROWS_MAX * 100], have[RULE_ROWS_MAX * 100];
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);

    (void)fprintf(out, "SELECT '%s ' || id || ':' || id", parking_tables[table].name);
    for (size_t i = 0; i < PARKING_COLUMNS && parking_tables[table].columns[i] != NULL;
         i++) {
        (void)fprintf(out, " || '|' || ifnull(%.*s, 'NULL')",
                      (int)strcspn(parking_tables[table].columns[i], "'"),
                      parking_tables[table].columns[i]);
    }
    (void)fprintf(out, " FROM %s", parking_tables[table].name);
    (void)fclose(out);
    (void)snprintf(have, sizeof have, "%s;", apply_text(node, sql));
    free(sql);
    memset(want, 0, sizeof want);
    out = fmemopen(want, sizeof want - 1, "w");
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].shown && rows[i].name[0] == parking_tables[table].name[0])
            (void)fprintf(out, "%s:%s;", rows[i].name, rows[i].content);
    (void)fclose(out);
    sort_lines(want);
    sort_lines(have);
    cr_assert_str_eq(have, want,
                     "%s: table %s shows\n  %s\nand the rule says\n  %s\nof\n%s"
                     "parked: %s\nquarantined: %s",
                     where, parking_tables[table].name, have, want, print_rule(),
                     apply_parked(node), apply_quarantine(node));
}

static struct {
    size_t hidden;
} seen;

static bool see_parked(void *data, uint32_t table, const struct parked *parked)
{
    (void)data, (void)table, (void)parked;
    seen.hidden++;
    return true;
}

void parking_compare(struct apply_node *node, const char *where)
{
    struct store_txn *txn;
    size_t hidden = 0;

    decide_store(node);
    for (unsigned i = 0; i < PARKING_TABLES; i++)
        compare_table(node, i, where);
    for (size_t i = 0; i < row_count; i++)
        hidden += !rows[i].shown;
    seen.hidden = 0;
    OK(store_begin(node->scan.store, TXN_READ, &txn, &err));
    OK(parked_visit(txn, 0, see_parked, NULL, &err));
    store_abort(txn);
    cr_assert_eq(seen.hidden, hidden, "%s: %zu rows are parked, %zu are not shown: %s",
                 where, seen.hidden, hidden, apply_parked(node));
    cr_assert_str_eq(apply_quarantine(node), "", "%s", where);
}
