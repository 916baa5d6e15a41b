#include "tests/simulation/schedule.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* splitmix64: any seed is a good one. */
uint64_t random_next(struct random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

int random_below(struct random *random, int bound)
{
    assert(bound > 0);
    return (int)(random_next(random) % (uint64_t)bound);
}

bool random_percent(struct random *random, int percent)
{
    return random_below(random, 100) < percent;
}

static const char *const names[OP_KINDS] = {
    "writes",
    "writes the same as",
    "writes a parked row",
    "captures",
    "sends to",
    "keeps a segment, for",
    "gets what was kept",
    "applies",
    "visits the folder",
};

static const int weights[OP_KINDS] = {36, 5, 6, 6, 18, 10, 12, 12, 3};

static enum op_kind random_kind(struct random *random)
{
    int total = 0;
    int pick;

    for (int i = 0; i < (int)OP_KINDS; i++)
        total += weights[i];
    pick = random_below(random, total);
    for (int i = 0; i < (int)OP_KINDS; i++) {
        pick -= weights[i];
        if (pick < 0)
            return (enum op_kind)i;
    }
    return OP_WRITE;
}

void schedule_make(struct schedule *schedule, uint64_t seed)
{
    static const int64_t skews[] = {0, 0, 0, 1, -1, 700, -700, 90000000, -90000000};
    static const uint32_t pauses[] = {0, 1, 1, 500, 2000, 1000000};
    struct random random = {seed};

    *schedule = (struct schedule){.seed = seed};
    schedule->schema = random_below(&random, MODEL_SCHEMAS);
    schedule->node_count = 2 + random_below(&random, 10) * 4 / 10; /* 2 to 5 */
    schedule->write_ahead = random_percent(&random, 25);
    for (int i = 0; i < schedule->node_count; i++)
        schedule->skews_us[i] =
            skews[random_below(&random, (int)(sizeof skews / sizeof *skews))];
    schedule->op_count = 36 + random_below(&random, SCHEDULE_OPS_MAX - 36 + 1);
    for (int i = 0; i < schedule->op_count; i++) {
        struct op *op = &schedule->ops[i];

        op->kind = random_kind(&random);
        op->a = random_below(&random, schedule->node_count);
        op->b = (op->a + 1 + random_below(&random, schedule->node_count - 1)) %
                schedule->node_count;
        op->seed = random_next(&random);
        op->pause_us =
            pauses[random_below(&random, (int)(sizeof pauses / sizeof *pauses))];
    }
}

void schedule_print(const struct schedule *schedule, int number, char *out, size_t size)
{
    const struct op *op = &schedule->ops[number];
    bool both = op->kind == OP_TWIN || op->kind == OP_PASS || op->kind == OP_KEEP;

    (void)snprintf(out, size, "%2d  +%-7u %c %s%s%c", number, op->pause_us, 'a' + op->a,
                   names[op->kind], both ? " " : "", both ? 'a' + op->b : ' ');
}

/* ---- statements */

struct text {
    char *data;
    size_t size;
    size_t used;
};

static void put(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text->used += (size_t)vsnprintf(text->data + text->used, text->size - text->used,
                                    format, arguments);
    va_end(arguments);
    assert(text->used < text->size);
}

static void put_value(struct text *text, const struct model_column *column,
                      struct random *random)
{
    if (random_percent(random, column->parent >= 0 ? 25 : 15))
        put(text, "NULL");
    else if (column->parent >= 0)
        put(text, "%d", 1 + random_below(random, MODEL_KEYS));
    else if (column->is_text)
        put(text, "'%s'", model_text(random_below(random, column->values)));
    else
        put(text, "%d", random_below(random, column->values));
}

static void put_insert(struct text *text, const struct model_table *table, int key,
                       const char *how, struct random *random)
{
    put(text, "INSERT %s INTO %s VALUES (%d", how, table->name, key);
    for (int c = 0; c < table->column_count; c++) {
        put(text, ", ");
        put_value(text, &table->columns[c], random);
    }
    put(text, ");\n");
}

/* Two rows exchange a unique value: only a NULL between them lets the engine do it. */
static void put_swap(struct text *text, const struct model_table *table, int x, int y)
{
    const char *column = "id";

    for (int c = 0; c < table->column_count; c++) {
        if ((table->uniques[0].columns & (1U << c)) != 0)
            column = table->columns[c].name;
    }
    put(text, "DROP TABLE IF EXISTS temp.swap;\n");
    put(text,
        "CREATE TEMP TABLE swap AS SELECT id, %s AS v FROM %s WHERE id IN (%d, %d);\n",
        column, table->name, x, y);
    put(text, "UPDATE %s SET %s = NULL WHERE id IN (%d, %d);\n", table->name, column, x,
        y);
    put(text,
        "UPDATE %s SET %s = (SELECT v FROM swap WHERE swap.id <> %s.id)"
        " WHERE id IN (%d, %d);\n",
        table->name, column, table->name, x, y);
}

static void put_statement(struct text *text, const struct model_schema *schema,
                          struct random *random)
{
    const struct model_table *table =
        &schema->tables[random_below(random, schema->table_count)];
    const struct model_column *column =
        &table->columns[random_below(random, table->column_count)];
    int key = 1 + random_below(random, MODEL_KEYS);
    int other = 1 + random_below(random, MODEL_KEYS);
    int pick = random_below(random, 100);

    if (pick < 34) {
        put_insert(text, table, key, "", random);
    } else if (pick < 42) {
        put_insert(text, table, key, "OR REPLACE", random);
    } else if (pick < 70) {
        put(text, "UPDATE %s SET %s = ", table->name, column->name);
        put_value(text, column, random);
        put(text, " WHERE id = %d;\n", key);
    } else if (pick < 78) {
        put(text, "UPDATE %s SET id = %d WHERE id = %d;\n", table->name, other, key);
    } else if (pick < 84) {
        put_swap(text, table, key, other);
    } else if (pick < 98) {
        put(text, "DELETE FROM %s WHERE id = %d;\n", table->name, key);
    } else {
        put(text, "DELETE FROM %s;\n", table->name);
    }
}

void schedule_statements(const struct model_schema *schema, uint64_t seed, bool twin,
                         char *out, size_t size)
{
    struct random random = {seed};
    struct text text = {out, size, 0};
    int count = twin ? 1 : 1 + random_below(&random, 4);

    out[0] = '\0';
    for (int i = 0; i < count; i++)
        put_statement(&text, schema, &random);
}

void schedule_insert(const struct model_schema *schema, uint64_t seed, int table, int key,
                     char *out, size_t size)
{
    struct random random = {seed};
    struct text text = {out, size, 0};

    out[0] = '\0';
    put_insert(&text, &schema->tables[table], key, "OR REPLACE", &random);
}

void schedule_base(const struct model_schema *schema, uint64_t seed, char *out,
                   size_t size)
{
    struct random random = {~seed};
    struct text text = {out, size, 0};

    out[0] = '\0';
    put(&text, "BEGIN;\n");
    for (int t = 0; t < schema->table_count; t++) {
        for (int k = 1; k <= (int)MODEL_KEYS; k++) {
            if (!random_percent(&random, 45))
                continue;
            put(&text, "INSERT OR IGNORE INTO %s (id, %s) VALUES (%d, ",
                schema->tables[t].name, schema->tables[t].columns[1].name, k);
            if (schema->tables[t].columns[1].parent >= 0)
                put(&text, "NULL");
            else
                put_value(&text, &schema->tables[t].columns[1], &random);
            put(&text, ");\n");
        }
    }
    put(&text, "COMMIT;");
}
