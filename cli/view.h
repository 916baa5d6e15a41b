/* What a command that only reads needs: the store, a snapshot of it, the members' names,
 * and a page of output that is written when the snapshot has ended, so that a pager that
 * waits for its reader holds none. */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include "cli/command.h"
#include "log/image.h"
#include "node/members.h"
#include "node/node.h"

#include <jansson.h>
#include <stdio.h>

struct view {
    struct node *node;
    struct store *store;
    struct store_txn *txn; /* NULL: no snapshot */
    struct members members;
    struct image image; /* for decoding */
    FILE *out;          /* the page */
    char *page;
    size_t page_size;
    bool json;
};

/* Open and begin. After a failure too the caller calls view_close(). */
MUST_CHECK enum status view_open(struct view *view, const struct invocation *invocation,
                                 struct error *err);
void view_close(struct view *view);

/* End the snapshot and give the page, which lives until the next print to it. */
MUST_CHECK enum status view_end_page(struct view *view, struct bytes *page,
                                     struct error *err);

/* End the snapshot and write the page; begin a new one; both. */
MUST_CHECK enum status view_flush(struct view *view, struct error *err);
MUST_CHECK enum status view_begin(struct view *view, struct error *err);

/* Begin, with the members as they now are. */
MUST_CHECK enum status view_begin_anew(struct view *view, struct error *err);

/* Bytes on the page. */
size_t view_page_size(const struct view *view);

/* A member's name, else its id; valid until the next call. */
const char *view_node_name(const struct view *view, uint64_t node);

/* Set the members "origin" and "name". */
void view_put_origin(const struct view *view, json_t *object, uint64_t origin);

#endif
