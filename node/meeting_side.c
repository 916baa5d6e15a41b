#include "node/meeting_side.h"

#include "node/path.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REST_SIZE = 40 };

void differing_add(struct differing *differing, const char *table, uint64_t count)
{
    size_t used = strlen(differing->text), room = sizeof differing->text - used;
    int size = snprintf(differing->text + used, room, "%s%s %" PRIu64,
                        used > 0 ? ", " : "", table, count);

    assert(count > 0);
    assert(size > 0);
    if (differing->left_out == 0 && (size_t)size < room)
        return;
    differing->text[used] = '\0';
    differing->left_out++;
}

/* What else there is, to follow the text. */
static void put_rest(const struct differing *differing, char out[REST_SIZE])
{
    out[0] = '\0';
    if (differing->left_out > 0) {
        (void)snprintf(out, REST_SIZE, "%s%zu more table%s",
                       differing->text[0] != '\0' ? " and " : "", differing->left_out,
                       differing->left_out == 1 ? "" : "s");
    }
}

/* What to type, as a shell takes it. */
static enum status refuse(const struct node *node, const struct differing *differing,
                          const char *rest, struct error *err)
{
    char *store = path_for_shell(store_folder(node->store));
    char *url = path_for_shell(node->url);
    enum status status;

    if (store == NULL || url == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    } else {
        status = error_set(
            err, STATUS_REFUSED,
            "%s: rows are not as the fleet has them (%s%s; `rowferry diff` lists them): "
            "say `rowferry --store %s init %s --prefer fleet` (its own become conflicts) "
            "or the same with `--prefer local` (its own win), or make them equal, and "
            "sync again; the database is as it was",
            node->database->name, differing->text, rest, store, url);
    }
    free(store);
    free(url);
    return status;
}

/* Among base rows the node's id decides. In the wrong order are only ids that were made
 * before there was one (log/identity.h). */
static enum status check_rank(const struct node *node, uint64_t founder,
                              struct error *err)
{
    if (store_identity(node->store)->node < founder)
        return STATUS_OK;
    return error_set(err, STATUS_REFUSED,
                     "%s: the fleet's rows can't win over those of a node with this id: "
                     "remove the store %s and make the node anew by init --join",
                     node->database->name, store_folder(node->store));
}

enum status meeting_take_side(struct node *node, const struct meeting_terms *terms,
                              const struct differing *differing, struct error *err)
{
    char rest[REST_SIZE];
    enum status status = STATUS_OK;

    put_rest(differing, rest);
    if (terms->prefer == PREFER_NEITHER)
        return refuse(node, differing, rest, err);
    if (terms->prefer == PREFER_FLEET)
        status = check_rank(node, terms->founder, err);
    if (status == STATUS_OK) {
        node_say(node, "%s: rows are not as the fleet has them (%s%s): %s",
                 node->database->name, differing->text, rest,
                 terms->prefer == PREFER_FLEET
                     ? "the fleet's are taken, its own are kept as conflicts"
                     : "its own are new writes");
    }
    return status;
}
