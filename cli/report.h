/* The last line of what changes something: what came, what went. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/command.h"
#include "node/node.h"

#include <jansson.h>

/* "sent 12 entries (34 changes, 5.1 KiB), received 3, conflicts 1, parked 0, quarantined
 * 0", captured before it when there was something; or the same as an object. target: NULL
 * for none. */
void report_visit(const struct visit_report *report, const char *target, bool json);

/* Open the store's node with its database, for a command that says what it does: its
 * notices as by report_notice(), its progress on the command's line. */
MUST_CHECK enum status
report_open(struct node **node, const struct invocation *invocation, struct error *err);

/* The end of a command that visits: what was done is said also when something of it
 * failed. */
void report_outcome(const struct invocation *invocation,
                    const struct visit_report *report, enum status status,
                    const char *target);

/* A line for each part of the same that moved something, each with what it was with
 * before it; or the same object. Written out at once. */
void report_moved(const struct visit_report *report, const char *target, bool json);

/* One line on standard error for what a visit left for later. node_notice_cb; data is the
 * invocation. */
void report_notice(void *data, const char *line);

/* A line when apply has deleted parents of rows that are not replicated. */
void report_orphaned(const struct apply_counts *counts);

/* The same object. */
json_t *visit_json(const struct visit_report *report, const char *target);

json_t *capture_json(const struct capture_counts *counts);
json_t *apply_json(const struct apply_counts *counts);
json_t *segment_json(const struct segment_counts *counts);

#endif
