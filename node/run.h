/* A node that stays in step until SIGINT or SIGTERM: rounds (node/stay.h), and the
 * waiting between them (node/watch.h). */
#ifndef NODE_RUN_H
#define NODE_RUN_H

#include "node/stay.h"

/* Blocks until the end is asked for: what was begun is finished first. options->stopped
 * is not the caller's to set. Failures as of stay_open() and stay_round(). */
MUST_CHECK enum status node_run(const struct stay_options *options, struct error *err);

#endif
