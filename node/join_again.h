/* init once more for a node that is there: to say whose rows are right when the first
 * sync was refused, or to go on with an init --from that was cut off. */
#ifndef NODE_JOIN_AGAIN_H
#define NODE_JOIN_AGAIN_H

#include "node/node.h"

/* place: the store; url: of the database, as database_url_read() says it. What is said of
 * the joining is remembered from now on; of a member with options->from there is nothing
 * left to remember. Fills report. REFUSED: it is not this node's store, or there is
 * nothing left that it could do. */
MUST_CHECK enum status join_again(const struct init_options *options, const char *place,
                                  const char *url, struct init_report *report,
                                  struct error *err);

#endif
