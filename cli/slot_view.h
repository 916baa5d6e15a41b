/* The replication slot of a node on Postgres, as `status` shows it. */
#ifndef CLI_SLOT_VIEW_H
#define CLI_SLOT_VIEW_H

#include "cli/view.h"

/* Set the member "slot" of object; NULL: print lines. Nothing, where there is no slot. */
MUST_CHECK enum status slot_view(struct view *view, json_t *object, struct error *err);

#endif
