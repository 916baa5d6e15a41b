#include "cli/conflict_view.h"

#include "cli/change_view.h"
#include "cli/conflict_state.h"
#include "cli/json.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A table of three columns: names, won, lost. */
enum {
    NAME_WIDTH_MAX = 20,
    CELL_SHOWN_MAX = 400, /* characters of a value */
    MARK_WIDTH = 2,
    GAP_WIDTH = 2,
};

static struct image_ref side_image(const struct conflict *conflict,
                                   const struct conflict_side *side)
{
    struct image_ref ref = {
        .origin = side->definition_origin,
        .definition = side->definition,
        .key = conflict->key,
    };

    if (side->live)
        ref.image = side->image;
    return ref;
}

/* ---- what the log says of an entry */

/* User and note, as far as the entry is still there and has them. */
static enum status find_said(struct view *view, const struct conflict_side *side,
                             struct bytes *user, struct bytes *note, struct error *err)
{
    struct log_entry entry;
    enum status status = STATUS_NOT_FOUND;

    *user = *note = (struct bytes){0};
    if (side->place.seq != 0)
        status = log_get(view->txn, side->place.seq, &entry, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    (void)entry_field_find(entry.header.fields, FIELD_USER, user);
    (void)entry_field_find(entry.header.fields, FIELD_NOTE, note);
    return STATUS_OK;
}

static enum status said_json(struct view *view, const struct conflict_side *side,
                             json_t *object, struct error *err)
{
    struct bytes user, note;
    enum status status = find_said(view, side, &user, &note, err);

    if (user.data != NULL)
        json_put(object, "user", json_text(user));
    if (note.data != NULL)
        json_put(object, "note", json_text(note));
    return status;
}

/* ---- JSON */

static enum status side_json(struct view *view, const struct conflict *conflict,
                             const struct conflict_side *side, bool whole, json_t *parent,
                             const char *name, struct error *err)
{
    struct image_ref ref = side_image(conflict, side);
    json_t *object = json_make_object(), *row;
    enum status status = STATUS_OK;

    json_put(parent, name, object);
    json_put_version(object, "version", &side->version);
    view_put_origin(view, object, side->version.origin);
    json_put_time(object, "time", side->version.stamp_us);
    json_put_number(object, "seq", side->place.seq);
    if (whole)
        status = said_json(view, side, object, err);
    if (status != STATUS_OK)
        return status;
    json_put_bool(object, "deleted", !side->live);
    status = image_json(view, &ref, &row, err);
    if (status == STATUS_OK)
        json_put(object, "row", row);
    return status;
}

static const char *const rule_words[] = {
    [RULE_LATER] = "later",
    [RULE_ORIGIN] = "origin",
    [RULE_JOINED] = "joined",
};

/* After the time when it was noticed. */
static const char *const rule_remarks[] = {
    [RULE_LATER] = "",
    [RULE_ORIGIN] = ", at the same time",
    [RULE_JOINED] = ", as its node joined",
};

static const char *const rule_sentences[] = {
    [RULE_LATER] = "the later write won",
    [RULE_ORIGIN] = "at the same time: the larger node id won",
    [RULE_JOINED] = "the node joined and let the fleet's row win",
};

enum status conflict_print_json(struct view *view, const struct conflict *conflict,
                                bool whole, struct error *err)
{
    json_t *object = json_make_object();
    enum conflict_state state = CONFLICT_OPEN;
    enum status status;

    json_put_number(object, "number", conflict->number);
    json_put_text(object, "kind", conflict->two_inserts ? "key" : "row");
    status = row_put_names(view, object, conflict->table, conflict->key, err);
    json_put_time(object, "noticed", conflict->noticed_us);
    json_put_text(object, "rule", rule_words[conflict->rule]);
    json_put_bool(object, "two_inserts", conflict->two_inserts);
    if (status == STATUS_OK)
        status = conflict_state(view, conflict, &state, err);
    json_put_text(object, "state", conflict_state_word(state));
    if (status == STATUS_OK)
        status =
            side_json(view, conflict, &conflict->winner, whole, object, "winner", err);
    if (status == STATUS_OK)
        status = side_json(view, conflict, &conflict->loser, whole, object, "loser", err);
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    json_print_line(view->out, object);
    return STATUS_OK;
}

/* ---- in a list */

static enum status side_text(struct view *view, const struct conflict *conflict,
                             const struct conflict_side *side,
                             const struct conflict_side *besides, const char *word,
                             struct error *err)
{
    struct image_ref ref = side_image(conflict, side),
                     other = side_image(conflict, besides);
    char time[TIME_TEXT_SIZE];

    (void)fprintf(view->out, "    %s  ", word);
    print_plain(view->out, bytes_of_text(view_node_name(view, side->version.origin)));
    (void)fprintf(view->out, "  %s\n", time_text(side->version.stamp_us, time));
    return image_print(view, &ref, other.image.size > 0 ? &other : NULL, 10, err);
}

enum status conflict_print(struct view *view, const struct conflict *conflict,
                           struct error *err)
{
    enum conflict_state state = CONFLICT_OPEN;
    char time[TIME_TEXT_SIZE];
    enum status status;

    (void)fprintf(view->out, "%" PRIu64 "  ", conflict->number);
    status = row_print_names(view, conflict->table, conflict->key, err);
    (void)fprintf(view->out, "  noticed %s%s%s\n", time_text(conflict->noticed_us, time),
                  conflict->two_inserts ? ", two rows, one key" : "",
                  rule_remarks[conflict->rule]);
    if (status == STATUS_OK)
        status = conflict_state(view, conflict, &state, err);
    if (status == STATUS_OK && state != CONFLICT_OPEN)
        (void)fprintf(view->out, "    %s\n", conflict_state_sentence(state));
    if (status == STATUS_OK)
        status =
            side_text(view, conflict, &conflict->winner, &conflict->loser, "won ", err);
    if (status == STATUS_OK)
        status =
            side_text(view, conflict, &conflict->loser, &conflict->winner, "lost", err);
    return status;
}

/* ---- side by side */

struct table_of_two {
    FILE *out;
    int name_width;
    int cell_width;
};

/* Print of *text what fits into width columns, at least a character, and blanks up to
 * there unless it is the last of its line. */
static void print_piece(FILE *out, const char **text, int width, bool last)
{
    struct bytes rest = bytes_of_text(*text);
    int printed = 0;

    while (rest.size > 0) {
        int columns;
        size_t size = character_size(rest, &columns);

        if (printed > 0 && printed + columns > width)
            break;
        size = size == 0 ? 1 : size;
        (void)fwrite(rest.data, 1, size, out);
        printed += columns;
        rest.data += size;
        rest.size -= size;
    }
    *text = (const char *)rest.data;
    if (!last)
        (void)fprintf(out, "%*s", printed < width ? width - printed : 0, "");
}

/* A line, or as many as the longer of the two takes. */
static void print_line(const struct table_of_two *table, bool marked, const char *name,
                       const char *won, const char *lost)
{
    bool first = true;

    while (first || *name != '\0' || *won != '\0' || *lost != '\0') {
        bool to_end = *lost != '\0';

        (void)fputs(marked && first ? "* " : "  ", table->out);
        print_piece(table->out, &name, table->name_width, false);
        (void)fprintf(table->out, "%*s", GAP_WIDTH, "");
        print_piece(table->out, &won, table->cell_width, !to_end);
        if (to_end) {
            (void)fprintf(table->out, "%*s", GAP_WIDTH, "");
            print_piece(table->out, &lost, table->cell_width, true);
        }
        (void)fputc('\n', table->out);
        first = false;
    }
}

static char *value_text(const struct value *value)
{
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);

    if (out == NULL)
        print_no_memory();
    if (value != NULL && value->type != VALUE_ABSENT)
        print_value(out, value, CELL_SHOWN_MAX);
    if (fclose(out) != 0)
        print_no_memory();
    return made;
}

/* A line of two texts that may hold anything. */
static void print_texts(const struct table_of_two *table, const char *name,
                        struct bytes won, struct bytes lost)
{
    char *left = plain_text(won), *right = plain_text(lost);

    print_line(table, false, name, left, right);
    free(left);
    free(right);
}

static void print_values(const struct table_of_two *table, const struct column *column,
                         const struct value *won, const struct value *lost, bool marked)
{
    char *name = plain_text(bytes_of_text(column->name));
    char *left = value_text(won), *right = value_text(lost);

    print_line(table, marked, name, left, right);
    free(name);
    free(left);
    free(right);
}

/* One side's row, decoded. */
struct side_row {
    const struct definition *definition; /* NULL: deleted */
    struct image image;
};

static enum status decode_side(struct view *view, const struct conflict *conflict,
                               const struct conflict_side *side, struct side_row *out,
                               struct error *err)
{
    struct table table;
    enum status status;

    *out = (struct side_row){0};
    image_init(&out->image);
    if (!side->live)
        return STATUS_OK;
    status =
        tables_find(view->txn, side->definition_origin, side->definition, &table, err);
    if (status == STATUS_OK)
        status =
            image_decode(&out->image, side->image, table.definition, conflict->key, err);
    if (status == STATUS_OK)
        out->definition = table.definition;
    return status;
}

/* The value of the column of this name; NULL: the row has none. */
static const struct value *value_of(const struct side_row *row, const char *name)
{
    int32_t column =
        row->definition == NULL ? -1 : definition_find_column(row->definition, name);

    if (column < 0 || row->definition->columns[column].generated != GENERATED_NO)
        return NULL;
    return &row->image.values[definition_image_place(row->definition, (uint32_t)column)];
}

/* The columns of the first that (besides) the second lacks, or all. */
static void print_columns(const struct table_of_two *table, const struct side_row *won,
                          const struct side_row *lost, bool only_lost)
{
    const struct definition *definition = (only_lost ? lost : won)->definition;
    bool both = won->definition != NULL && lost->definition != NULL;

    for (uint32_t i = 0; definition != NULL && i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];
        const struct value *left = value_of(won, column->name);
        const struct value *right = value_of(lost, column->name);

        if (column->generated != GENERATED_NO || (only_lost && left != NULL))
            continue;
        print_values(table, column, left, right,
                     both &&
                         (left == NULL || right == NULL || !value_equal(left, right)));
    }
}

static void widen(struct table_of_two *table, const struct side_row *row)
{
    for (uint32_t i = 0; row->definition != NULL && i < row->definition->column_count;
         i++) {
        char *name = plain_text(bytes_of_text(row->definition->columns[i].name));
        int width = (int)text_width(name);

        free(name);
        if (width > table->name_width)
            table->name_width = width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX;
    }
}

/* Who and when. */
static enum status print_heads(struct view *view, const struct conflict *conflict,
                               const struct table_of_two *table, struct error *err)
{
    const struct conflict_side *won = &conflict->winner, *lost = &conflict->loser;
    struct bytes users[2], notes[2];
    char times[2][TIME_TEXT_SIZE], *name;
    enum status status = find_said(view, won, &users[0], &notes[0], err);

    if (status == STATUS_OK)
        status = find_said(view, lost, &users[1], &notes[1], err);
    if (status != STATUS_OK)
        return status;
    print_line(table, false, "", "won", "lost");
    name = plain_text(bytes_of_text(view_node_name(view, won->version.origin)));
    print_texts(table, "node", bytes_of_text(name),
                bytes_of_text(view_node_name(view, lost->version.origin)));
    free(name);
    print_line(table, false, "time", time_local(won->version.stamp_us, times[0]),
               time_local(lost->version.stamp_us, times[1]));
    if (users[0].size + users[1].size > 0)
        print_texts(table, "user", users[0], users[1]);
    if (notes[0].size + notes[1].size > 0)
        print_texts(table, "note", notes[0], notes[1]);
    if (!won->live || !lost->live)
        print_line(table, false, "row", won->live ? "" : "deleted",
                   lost->live ? "" : "deleted");
    (void)fputc('\n', table->out);
    return STATUS_OK;
}

static enum status print_first_lines(struct view *view, const struct conflict *conflict,
                                     struct error *err)
{
    enum conflict_state state = CONFLICT_OPEN;
    char time[TIME_TEXT_SIZE];
    enum status status;

    (void)fprintf(view->out, "conflict %" PRIu64 ": ", conflict->number);
    status = row_print_names(view, conflict->table, conflict->key, err);
    if (status == STATUS_OK)
        status = conflict_state(view, conflict, &state, err);
    (void)fprintf(view->out, "%s\nnoticed %s; %s\n%s%s\n",
                  conflict->two_inserts ? ", two rows, one key" : "",
                  time_local(conflict->noticed_us, time), rule_sentences[conflict->rule],
                  conflict_state_sentence(state), state == CONFLICT_OPEN ? "" : "\n");
    return status;
}

enum status conflict_print_sides(struct view *view, const struct conflict *conflict,
                                 struct error *err)
{
    struct table_of_two table = {.out = view->out, .name_width = 4};
    struct side_row won, lost = {0};
    enum status status = decode_side(view, conflict, &conflict->winner, &won, err);

    if (status == STATUS_OK)
        status = decode_side(view, conflict, &conflict->loser, &lost, err);
    if (status == STATUS_OK)
        status = print_first_lines(view, conflict, err);
    widen(&table, &won);
    widen(&table, &lost);
    table.cell_width =
        (PRINT_COLUMNS - 1 - MARK_WIDTH - table.name_width - 2 * GAP_WIDTH) / 2;
    if (status == STATUS_OK)
        status = print_heads(view, conflict, &table, err);
    if (status == STATUS_OK) {
        print_columns(&table, &won, &lost, false);
        print_columns(&table, &won, &lost, true);
    }
    image_release(&won.image);
    image_release(&lost.image);
    return status;
}
