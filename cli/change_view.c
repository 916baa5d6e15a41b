#include "cli/change_view.h"

#include "cli/json.h"
#include "cli/print.h"

#include <assert.h>
#include <stdlib.h>

enum { VALUE_SHOWN_MAX = 50, OF_TWO_SHOWN_MAX = 28 };

static const char *const op_words[] = {
    [CHANGE_INSERT] = "insert",
    [CHANGE_UPDATE] = "update",
    [CHANGE_DELETE] = "delete",
};

/* The column at a place of an image: those that are not generated, counted from 0. */
static const struct column *column_at(const struct definition *definition, uint32_t place)
{
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        if (place-- == 0)
            return &definition->columns[i];
    }
    return NULL;
}

static enum status no_column(uint32_t place, const struct definition *definition,
                             struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "%s has no stored column %u", definition->name,
                     place);
}

/* ---- JSON */

/* view->image becomes what the key says. */
static enum status old_json(struct view *view, const struct change *change,
                            const struct definition *definition, json_t *out,
                            struct error *err)
{
    struct bytes before = change->before;
    const struct column *column;
    struct value value;
    uint32_t place;
    enum status status = image_decode_key(&view->image, definition, change->key, err);

    while (status == STATUS_OK && before.size > 0) {
        status = change_take_before(&before, &place, &value, err);
        if (status != STATUS_OK)
            return status;
        column = column_at(definition, place);
        if (column == NULL || place >= view->image.count)
            return no_column(place, definition, err);
        if (value.type == VALUE_KEY)
            value = view->image.values[place];
        if (value.type != VALUE_ABSENT)
            json_put(out, column->name, json_value(&value));
    }
    return status;
}

static json_t *unseen_json(const struct view *view, const struct change *change)
{
    json_t *object = json_make_object();

    view_put_origin(view, object, change->unseen_origin);
    json_put_number(object, "origin_seq", change->unseen_seq);
    return object;
}

static enum status fill_json(struct view *view, const struct log_change *change,
                             const struct definition *definition, json_t *object,
                             struct error *err)
{
    const struct change *body = &change->change;
    json_t *old;
    enum status status = STATUS_OK;

    json_put_text(object, "table", definition->name);
    json_put_text(object, "op", op_words[body->op]);
    json_put(object, "key", json_key(body->key, definition));
    json_put_version(object, "version", &change->version);
    json_put_bool(object, "won", change->won);
    json_put_version(object, "born", body->has_born ? &body->born : &change->version);
    if (body->has_unseen)
        json_put(object, "unseen", unseen_json(view, body));
    if (body->op != CHANGE_DELETE) {
        status = image_decode(&view->image, body->image, definition, body->key, err);
        if (status == STATUS_OK)
            json_put(object, "row", json_row(&view->image, definition));
    }
    if (status == STATUS_OK && body->op != CHANGE_INSERT) {
        old = json_make_object();
        json_put(object, "old", old);
        status = old_json(view, body, definition, old, err);
    }
    return status;
}

enum status change_json(struct view *view, const struct log_change *change, json_t **out,
                        struct error *err)
{
    json_t *object = json_make_object();
    struct table table;
    enum status status = tables_find(view->txn, change->version.origin,
                                     change->change.definition, &table, err);

    *out = NULL;
    if (status == STATUS_OK)
        status = fill_json(view, change, table.definition, object, err);
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    *out = object;
    return STATUS_OK;
}

enum status image_json(struct view *view, const struct image_ref *ref, json_t **out,
                       struct error *err)
{
    struct table table;
    enum status status;

    *out = NULL;
    if (ref->image.data == NULL || ref->image.size == 0) {
        *out = json_null();
        return STATUS_OK;
    }
    status = tables_find(view->txn, ref->origin, ref->definition, &table, err);
    if (status == STATUS_OK)
        status = image_decode(&view->image, ref->image, table.definition, ref->key, err);
    if (status == STATUS_OK)
        *out = json_row(&view->image, table.definition);
    return status;
}

enum status row_put_names(struct view *view, json_t *object, uint32_t table_id,
                          struct bytes key, struct error *err)
{
    struct table table;
    enum status status = tables_any(view->txn, table_id, &table, err);

    if (status != STATUS_OK)
        return status;
    json_put_text(object, "table", table.definition->name);
    json_put(object, "key", json_key(key, table.definition));
    return STATUS_OK;
}

/* The row's winner, and its image. NOT_FOUND is a plain answer. */
static enum status find_winner(struct view *view, uint32_t table, struct bytes key,
                               struct row *row, struct image_ref *ref, struct error *err)
{
    enum status status = rows_get(view->txn, table, key, row, err);

    if (status == STATUS_OK)
        *ref =
            (struct image_ref){row->definition_origin, row->definition, key, row->image};
    return status;
}

enum status row_put_winner(struct view *view, json_t *object, uint32_t table,
                           struct bytes key, struct error *err)
{
    struct image_ref ref;
    struct row row;
    json_t *value;
    enum status status = find_winner(view, table, key, &row, &ref, err);

    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    json_put_version(object, "version", &row.version);
    view_put_origin(view, object, row.version.origin);
    status = image_json(view, &ref, &value, err);
    if (status == STATUS_OK)
        json_put(object, "row", value);
    return status;
}

/* ---- text */

enum status row_print_names(struct view *view, uint32_t table_id, struct bytes key,
                            struct error *err)
{
    struct table table;
    enum status status = tables_any(view->txn, table_id, &table, err);

    if (status != STATUS_OK)
        return status;
    print_plain(view->out, bytes_of_text(table.definition->name));
    (void)fputc(' ', view->out);
    print_key(view->out, key, table.definition);
    return STATUS_OK;
}

/* "name: old → new", "name = new", "name was old" as one item. */
static enum status wrap_column(struct wrap *wrap, const struct column *column,
                               const struct value *old, const struct value *now,
                               struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    size_t limit = old != NULL && now != NULL ? OF_TWO_SHOWN_MAX : VALUE_SHOWN_MAX;
    FILE *item = open_memstream(&text, &size);
    bool made;

    assert(old != NULL || now != NULL);
    if (item == NULL)
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    print_plain(item, bytes_of_text(column->name));
    if (old != NULL) {
        (void)fputs(now != NULL ? ": " : " was ", item);
        print_value(item, old, limit);
    }
    if (now != NULL) {
        (void)fputs(old != NULL ? " → " : " = ", item);
        print_value(item, now, limit);
    }
    made = fclose(item) == 0 && text != NULL;
    if (made)
        wrap_item(wrap, text);
    free(text);
    return made ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* image holds what an update left; it is not asked for a delete. */
static enum status print_before(struct view *view, const struct change *change,
                                const struct definition *definition, struct wrap *wrap,
                                struct error *err)
{
    bool is_delete = change->op == CHANGE_DELETE;
    struct bytes before = change->before;
    const struct column *column;
    struct value value;
    uint32_t place;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && before.size > 0) {
        status = change_take_before(&before, &place, &value, err);
        if (status != STATUS_OK)
            break;
        column = column_at(definition, place);
        if (column == NULL || (!is_delete && place >= view->image.count))
            return no_column(place, definition, err);
        if (value.type == VALUE_KEY || value.type == VALUE_ABSENT)
            continue;
        status = wrap_column(wrap, column, &value,
                             is_delete ? NULL : &view->image.values[place], err);
    }
    return status;
}

/* What `other` says the same of is left out; key columns too when there is no other. */
static enum status print_image(const struct image *image, const struct image *other,
                               const struct definition *definition, struct wrap *wrap,
                               struct error *err)
{
    const struct column *column;
    enum status status = STATUS_OK;

    for (uint32_t place = 0; status == STATUS_OK && place < image->count; place++) {
        const struct value *value = &image->values[place];

        column = column_at(definition, place);
        if (column == NULL)
            return no_column(place, definition, err);
        if (value->type == VALUE_ABSENT || column->key_position > 0)
            continue;
        if (other != NULL && place < other->count &&
            value_equal(value, &other->values[place]))
            continue;
        status = wrap_column(wrap, column, NULL, value, err);
    }
    return status;
}

enum status change_print(struct view *view, const struct log_change *change, int indent,
                         const char *note, struct error *err)
{
    const struct change *body = &change->change;
    struct wrap wrap = {view->out, indent + 4, 0};
    struct table table;
    enum status status =
        tables_find(view->txn, change->version.origin, body->definition, &table, err);

    if (status != STATUS_OK)
        return status;
    (void)fprintf(view->out, "%*s%s ", indent, "", op_words[body->op]);
    print_plain(view->out, bytes_of_text(table.definition->name));
    (void)fputc(' ', view->out);
    print_key(view->out, body->key, table.definition);
    (void)fprintf(view->out, "%s%s\n", change->won ? "" : ", lost", note);
    if (body->op != CHANGE_DELETE)
        status =
            image_decode(&view->image, body->image, table.definition, body->key, err);
    if (status == STATUS_OK && body->op == CHANGE_INSERT)
        status = print_image(&view->image, NULL, table.definition, &wrap, err);
    else if (status == STATUS_OK)
        status = print_before(view, body, table.definition, &wrap, err);
    wrap_end(&wrap);
    return status;
}

/* Whether two refs' images have their columns at the same places. */
static enum status decode_besides(struct view *view, const struct image_ref *besides,
                                  const struct definition *definition, struct image *out,
                                  bool *comparable, struct error *err)
{
    struct table table;
    enum status status;

    *comparable = false;
    if (besides == NULL || besides->image.size == 0)
        return STATUS_OK;
    status = tables_find(view->txn, besides->origin, besides->definition, &table, err);
    if (status == STATUS_OK)
        status = image_decode(out, besides->image, table.definition, besides->key, err);
    if (status == STATUS_OK)
        *comparable = definition_same_image(definition, table.definition);
    return status;
}

enum status image_print(struct view *view, const struct image_ref *ref,
                        const struct image_ref *besides, int indent, struct error *err)
{
    struct wrap wrap = {view->out, indent, 0};
    struct image other;
    struct table table;
    bool comparable = false;
    enum status status;

    if (ref->image.size == 0) {
        wrap_item(&wrap, "deleted");
        wrap_end(&wrap);
        return STATUS_OK;
    }
    image_init(&other);
    status = tables_find(view->txn, ref->origin, ref->definition, &table, err);
    if (status == STATUS_OK)
        status = image_decode(&view->image, ref->image, table.definition, ref->key, err);
    if (status == STATUS_OK)
        status =
            decode_besides(view, besides, table.definition, &other, &comparable, err);
    if (status == STATUS_OK)
        status = print_image(&view->image, comparable ? &other : NULL, table.definition,
                             &wrap, err);
    wrap_end(&wrap);
    image_release(&other);
    return status;
}

enum status row_print_winner(struct view *view, uint32_t table, struct bytes key,
                             struct error *err)
{
    struct image_ref ref;
    struct row row;
    enum status status = find_winner(view, table, key, &row, &ref, err);

    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    return image_print(view, &ref, NULL, 10, err);
}
