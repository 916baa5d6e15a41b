/* What a reading command prints, drawn again on a terminal whenever the store may have
 * changed; or, as JSON, printed again when it says something else. */
#ifndef CLI_REDRAW_H
#define CLI_REDRAW_H

#include "cli/view.h"

/* Print all of it to view->out. */
typedef enum status (*redraw_cb)(struct view *view, struct error *err);

/* Until the end is asked for (cli/store_watch.h). The view is opened anew each time, so
 * that settings count, too. USAGE: neither JSON nor a terminal. */
MUST_CHECK enum status redraw(const struct invocation *invocation, redraw_cb print,
                              struct error *err);

#endif
