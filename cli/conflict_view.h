/* A conflict record as JSON, in a list, and its two rows side by side. */
#ifndef CLI_CONFLICT_VIEW_H
#define CLI_CONFLICT_VIEW_H

#include "cli/view.h"
#include "log/conflicts.h"

/* Print the object and its newline. whole: with what the log says of both entries. */
MUST_CHECK enum status conflict_print_json(struct view *view,
                                           const struct conflict *conflict, bool whole,
                                           struct error *err);

/* The record, each side with the columns that differ. */
MUST_CHECK enum status conflict_print(struct view *view, const struct conflict *conflict,
                                      struct error *err);

/* Both rows, column by column, those that differ marked with a star. */
MUST_CHECK enum status conflict_print_sides(struct view *view,
                                            const struct conflict *conflict,
                                            struct error *err);

#endif
