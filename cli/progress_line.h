/* The line on a terminal that says how far long work is: written over again and again on
 * standard error, gone before anything else is printed.
 *
 * Only there is one when standard error is a terminal, and not while JSON goes elsewhere:
 * then nobody watches. */
#ifndef CLI_PROGRESS_LINE_H
#define CLI_PROGRESS_LINE_H

#include "cli/meter.h"

struct progress_line {
    struct progress progress;
    struct meter meter;
    const char *command;
    size_t columns; /* that stand on the terminal now; 0: none */
};

/* Begin to watch for a command, whose name must outlive this. */
void progress_line_init(struct progress_line *line, const char *command, bool json);
void progress_line_release(struct progress_line *line);

/* Whom to hand to init_options.progress or node_set_progress(); NULL: nobody. */
const struct progress *progress_line_watcher(const struct progress_line *line);

/* Take the line away: something is to be printed. It may come back. */
void progress_line_erase(struct progress_line *line);

#endif
