/* One entry of the log as text and as JSON: its first line, who wrote it and why, and
 * the items of one that has no changes (cli/change_view.h has those). */
#ifndef CLI_ENTRY_VIEW_H
#define CLI_ENTRY_VIEW_H

#include "cli/view.h"
#include "log/log_reader.h"

/* The entry's first line and note; in JSON all up to its list, which the caller fills,
 * with commas between. filtered: not all of its changes may follow. Then the end. */
void entry_begin(struct view *view, const struct log_entry *entry, bool filtered);
void entry_end(struct view *view);

/* The items of an entry of definitions or members: few, and on one page. */
MUST_CHECK enum status entry_print_items(struct view *view, const struct log_entry *entry,
                                         struct error *err);

/* "by ann: why" as lines of their own, nothing without either; "note" and "user". */
void entry_print_note(FILE *out, const struct entry_header *header, int indent);
void entry_put_note(json_t *object, const struct entry_header *header);

#endif
