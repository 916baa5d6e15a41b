/* rowferry schema: the fleet's tables as statements of either engine. */
#include "cli/commands.h"
#include "cli/json.h"
#include "node/fleet_schema.h"
#include "node/node.h"

#include <stdio.h>
#include <string.h>

enum { FOR };

static enum status read_dialect(const char *text, enum dialect *to, struct error *err)
{
    if (text != NULL && strcmp(text, "sqlite") == 0)
        *to = DIALECT_SQLITE;
    else if (text != NULL && strcmp(text, "postgres") == 0)
        *to = DIALECT_POSTGRES;
    else
        return error_set(err, STATUS_USAGE, "--for: sqlite or postgres");
    return STATUS_OK;
}

/* The next line of *rest, without its end. */
static bool take_line(struct bytes *rest, struct bytes *line)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);

    if (end == NULL)
        return false;
    *line = (struct bytes){rest->data, (size_t)(end - rest->data)};
    *rest = (struct bytes){end + 1, rest->size - line->size - 1};
    return true;
}

static void print_text(const struct schema_text *text)
{
    struct bytes notes = buffer_view(&text->notes), line;

    while (take_line(&notes, &line))
        (void)printf("-- %.*s\n", (int)line.size, (const char *)line.data);
    (void)printf("%.*s%.*s", (int)text->tables.size, (const char *)text->tables.data,
                 (int)text->links.size, (const char *)text->links.data);
}

static void print_json(const struct schema_text *text, const char *dialect)
{
    struct bytes notes = buffer_view(&text->notes), line;
    json_t *object = json_make_object(), *array = json_make_array();

    while (take_line(&notes, &line))
        json_append(array, json_text(line));
    json_put_text(object, "for", dialect);
    json_put(object, "tables", json_text(buffer_view(&text->tables)));
    json_put(object, "links", json_text(buffer_view(&text->links)));
    json_put(object, "notes", array);
    json_print_line(stdout, object);
}

static enum status run_schema(const struct invocation *invocation, struct error *err)
{
    const char *dialect = invocation->values[FOR];
    struct schema_text text = {0};
    struct store_txn *txn = NULL;
    struct node *node = NULL;
    enum dialect to = DIALECT_SQLITE;
    enum status status = read_dialect(dialect, &to, err);

    if (status == STATUS_OK)
        status = node_open(&node, invocation->store, NODE_READ_ONLY, err);
    if (status == STATUS_OK)
        status = store_begin(node_store(node), TXN_READ, &txn, err);
    if (status == STATUS_OK)
        status = fleet_schema_put(&text, txn, to, invocation->operands,
                                  invocation->operand_count, err);
    store_abort(txn);
    node_close(node);
    if (status == STATUS_OK && invocation->json)
        print_json(&text, dialect);
    else if (status == STATUS_OK)
        print_text(&text);
    schema_text_release(&text);
    return status;
}

const struct command command_schema = {
    .name = "schema",
    .operands = "[TABLE]...",
    .summary = "Print what makes the fleet's tables in SQLite or Postgres",
    .about =
        "Types are chosen so that no value is lost on the way there and back. Lines\n"
        "that begin with -- say what is not carried over. All tables, or those that\n"
        "are named.",
    .parameters = {{"for", "ENGINE", "sqlite or postgres", false}},
    .operands_max = 1000,
    .run = run_schema,
};
