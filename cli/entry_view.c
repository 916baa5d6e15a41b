#include "cli/entry_view.h"

#include "cli/json.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const kind_words[] = {
    [ENTRY_CHANGES] = "changes",
    [ENTRY_TABLES] = "tables",
    [ENTRY_MEMBER] = "member",
};

/* ---- who and why */

void entry_put_note(json_t *object, const struct entry_header *header)
{
    struct bytes text;

    if (entry_field_find(header->fields, FIELD_NOTE, &text))
        json_put(object, "note", json_text(text));
    if (entry_field_find(header->fields, FIELD_USER, &text))
        json_put(object, "user", json_text(text));
}

void entry_print_note(FILE *out, const struct entry_header *header, int indent)
{
    struct bytes user, note;
    bool has_user = entry_field_find(header->fields, FIELD_USER, &user);
    bool has_note = entry_field_find(header->fields, FIELD_NOTE, &note);
    char *text = NULL;
    size_t size = 0;
    FILE *line;

    if (!has_user && !has_note)
        return;
    line = open_memstream(&text, &size);
    if (line == NULL)
        print_no_memory();
    (void)fputs(has_user ? "by " : "note: ", line);
    if (has_user)
        print_plain(line, user);
    if (has_user && has_note)
        (void)fputs(": ", line);
    if (has_note)
        print_plain(line, note);
    if (fclose(line) != 0 || text == NULL)
        print_no_memory();
    print_words(out, indent, text);
    free(text);
}

/* ---- the first line */

/* All but the closing brace, to which its list is added as it is read. */
static void begin_json(struct view *view, const struct log_entry *entry)
{
    const struct entry_header *header = &entry->header;
    json_t *object = json_make_object();

    json_put_number(object, "seq", entry->seq);
    view_put_origin(view, object, header->origin);
    json_put_number(object, "origin_seq", header->origin_seq);
    json_put_text(object, "kind", kind_words[header->kind]);
    json_put_time(object, "time", header->stamp_us);
    json_put_number(object, "stamp_us", header->stamp_us);
    if (header->commit_us != 0)
        json_put_time(object, "committed", header->commit_us);
    json_put_time(object, "arrived", entry->arrived_us);
    json_put_bool(object, "local", entry->local);
    json_put_bool(object, "base", (header->flags & ENTRY_BASE) != 0);
    entry_put_note(object, header);
    json_put_number(object, "count", header->item_count);
    json_print(view->out, object);
    (void)fseeko(view->out, -1, SEEK_CUR);
    (void)fprintf(view->out, ",\"%s\":[", kind_words[header->kind]);
}

static void begin_text(struct view *view, const struct log_entry *entry, bool filtered)
{
    const struct entry_header *header = &entry->header;
    FILE *out = view->out;
    char time[TIME_TEXT_SIZE];

    (void)fprintf(out, "%" PRIu64 "  ", entry->seq);
    print_plain(out, bytes_of_text(view_node_name(view, header->origin)));
    (void)fprintf(out, "  %s  ", time_text(header->stamp_us, time));
    if (header->kind == ENTRY_MEMBER)
        (void)fputs("member", out);
    else if (header->kind == ENTRY_TABLES) {
        (void)fprintf(out, "%" PRIu32 " table%s", header->item_count,
                      plural(header->item_count));
    } else {
        (void)fprintf(out, "%" PRIu32 " %s%s", header->item_count,
                      (header->flags & ENTRY_BASE) != 0 ? "row" : "change",
                      plural(header->item_count));
        (void)fputs(filtered ? ", of which:" : "", out);
    }
    (void)fputc('\n', out);
    entry_print_note(out, header, 4);
}

void entry_begin(struct view *view, const struct log_entry *entry, bool filtered)
{
    if (view->json)
        begin_json(view, entry);
    else
        begin_text(view, entry, filtered);
}

void entry_end(struct view *view)
{
    if (view->json)
        (void)fputs("]}\n", view->out);
}

/* ---- definitions and members */

static json_t *definition_json(const struct definition *definition)
{
    json_t *object = json_make_object(), *columns = json_make_array();

    json_put_text(object, "table", definition->name);
    json_put_number(object, "number", definition->number);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];
        json_t *entry = json_make_object();

        json_put_text(entry, "name", column->name);
        json_put_text(entry, "type", column->declared_type);
        json_put_bool(entry, "not_null", column->not_null);
        json_put_bool(entry, "generated", column->generated != GENERATED_NO);
        json_put_number(entry, "key", column->key_position);
        json_append(columns, entry);
    }
    json_put(object, "columns", columns);
    json_put_text(object, "ddl", definition->ddl);
    return object;
}

static enum status print_definition(struct view *view, struct bytes item, bool first,
                                    struct wrap *wrap, struct error *err)
{
    struct definition *definition = NULL;
    enum status status = definition_decode(item, &definition, err);

    if (status != STATUS_OK)
        return status;
    if (view->json) {
        if (!first)
            (void)fputc(',', view->out);
        json_print(view->out, definition_json(definition));
    } else {
        wrap_item(wrap, definition->name);
    }
    definition_close(definition);
    return STATUS_OK;
}

static enum status print_member(struct view *view, struct bytes item, struct error *err)
{
    struct member member;
    char id[NODE_ID_TEXT_SIZE];
    const char *event;
    json_t *object;
    enum status status = member_decode(item, &member, err);

    if (status != STATUS_OK)
        return status;
    event = member.event == MEMBER_JOINED ? "joined" : "forgotten";
    node_id_text(member.node, id);
    if (view->json) {
        object = json_make_object();
        json_put_text(object, "event", event);
        json_put_text(object, "node", id);
        json_put(object, "name", json_text(member.name));
        json_put_text(object, "engine",
                      member.engine == MEMBER_POSTGRES ? "postgres" : "sqlite");
        json_print(view->out, object);
        return STATUS_OK;
    }
    (void)fputs("    ", view->out);
    print_plain(view->out, member.name);
    (void)fprintf(view->out, " (%s) %s\n", id, event);
    return STATUS_OK;
}

enum status entry_print_items(struct view *view, const struct log_entry *entry,
                              struct error *err)
{
    struct wrap wrap = {view->out, 4, 0};
    struct bytes piece, item;
    uint32_t next = 0;
    bool first = true;
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        status = log_body_piece(view->txn, entry, &next, &piece, err);
        while (status == STATUS_OK && piece.size > 0) {
            if (!bytes_take_sized(&piece, &item)) {
                status = error_set(err, STATUS_CORRUPT, "entry %" PRIu64 ": body is cut",
                                   entry->seq);
            } else if (entry->header.kind == ENTRY_TABLES) {
                status = print_definition(view, item, first, &wrap, err);
            } else {
                status = print_member(view, item, err);
            }
            first = false;
        }
    }
    wrap_end(&wrap);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
