/* One change of the log, and rows' images, as text and as JSON. */
#ifndef CLI_CHANGE_VIEW_H
#define CLI_CHANGE_VIEW_H

#include "cli/view.h"
#include "log/log_reader.h"

/* {"table", "op", "key", "version", "won", "born", "unseen", "row", "old"} */
MUST_CHECK enum status change_json(struct view *view, const struct log_change *change,
                                   json_t **out, struct error *err);

/* "update person (3), lost" and its columns below, indented. note: more for the first
 * line,
 * "" when none. */
MUST_CHECK enum status change_print(struct view *view, const struct log_change *change,
                                    int indent, const char *note, struct error *err);

/* An image under the definition that an origin numbered so; nothing ({}) when empty. */
struct image_ref {
    uint64_t origin;
    uint32_t definition;
    struct bytes key;
    struct bytes image;
};
MUST_CHECK enum status image_json(struct view *view, const struct image_ref *ref,
                                  json_t **out, struct error *err);

/* Its columns as "name = value"; besides: columns that say the same in that image are
 * left out (NULL: all but the key). */
MUST_CHECK enum status image_print(struct view *view, const struct image_ref *ref,
                                   const struct image_ref *besides, int indent,
                                   struct error *err);

/* {"table", "key"} of any row of a table id. */
MUST_CHECK enum status row_put_names(struct view *view, json_t *object, uint32_t table,
                                     struct bytes key, struct error *err);

/* "person (3)" */
MUST_CHECK enum status row_print_names(struct view *view, uint32_t table,
                                       struct bytes key, struct error *err);

/* The winner of a row: {"version", ORIGIN, "row"}; its columns. Nothing when there is
 * none. */
MUST_CHECK enum status row_put_winner(struct view *view, json_t *object, uint32_t table,
                                      struct bytes key, struct error *err);
MUST_CHECK enum status row_print_winner(struct view *view, uint32_t table,
                                        struct bytes key, struct error *err);

#endif
