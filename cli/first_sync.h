/* What init says and does of the first sync: --prefer and --from. */
#ifndef CLI_FIRST_SYNC_H
#define CLI_FIRST_SYNC_H

#include "cli/command.h"
#include "node/node.h"

#include <jansson.h>

/* word: NULL when none was given. USAGE. */
MUST_CHECK enum status first_sync_read_prefer(const char *word, enum join_prefer *out,
                                              struct error *err);

/* On standard output: that it is still to come, and what it will do where rows differ. */
void first_sync_announce(const struct init_report *report,
                         const struct init_options *options);

/* Sync the node that init has made, and say what was done. Failures are node_sync's. */
MUST_CHECK enum status first_sync_run(const struct invocation *invocation,
                                      const char *target, struct visit_report *report,
                                      struct error *err);

/* Put what init's object says of it. visit: NULL when there was none. */
void first_sync_json(json_t *object, const struct init_report *report,
                     const struct visit_report *visit);

#endif
