#include "cli/view.h"

#include "cli/json.h"
#include "cli/width.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum status view_open(struct view *view, const struct invocation *invocation,
                      struct error *err)
{
    enum status status;

    *view = (struct view){.json = invocation->json};
    image_init(&view->image);
    status = node_open(&view->node, invocation->store, NODE_READ_ONLY, err);
    if (status != STATUS_OK)
        return status;
    view->store = node_store(view->node);
    view->out = open_memstream(&view->page, &view->page_size);
    if (view->out == NULL)
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    status = view_begin(view, err);
    return status == STATUS_OK ? members_read(&view->members, view->txn, err) : status;
}

void view_close(struct view *view)
{
    store_abort(view->txn);
    members_release(&view->members);
    image_release(&view->image);
    node_close(view->node);
    if (view->out != NULL)
        (void)fclose(view->out);
    free(view->page);
}

size_t view_page_size(const struct view *view)
{
    off_t size = ftello(view->out);

    return size < 0 ? 0 : (size_t)size;
}

enum status view_end_page(struct view *view, struct bytes *page, struct error *err)
{
    size_t size = view_page_size(view);

    store_abort(view->txn);
    view->txn = NULL;
    if (fflush(view->out) != 0 || ferror(view->out) ||
        fseeko(view->out, 0, SEEK_SET) != 0)
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    *page = (struct bytes){(const uint8_t *)view->page, size};
    return STATUS_OK;
}

/* One write: what a signal breaks off is not begun again. */
static enum status write_page(struct bytes page, struct error *err)
{
    errno = 0;
    if (fwrite(page.data, 1, page.size, stdout) != page.size)
        return error_set(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO,
                         "standard output: %s", strerror(errno));
    return STATUS_OK;
}

enum status view_flush(struct view *view, struct error *err)
{
    struct bytes page = {0};
    char *folded = NULL;
    size_t size = 0;
    FILE *out;
    enum status status = view_end_page(view, &page, err);

    if (status != STATUS_OK || view->json)
        return status == STATUS_OK ? write_page(page, err) : status;
    out = open_memstream(&folded, &size);
    if (out != NULL)
        print_folded(out, page);
    if (out == NULL || fclose(out) != 0 || folded == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "out of memory");
    else
        status = write_page((struct bytes){(const uint8_t *)folded, size}, err);
    free(folded);
    return status;
}

enum status view_begin(struct view *view, struct error *err)
{
    return store_begin(view->store, TXN_READ, &view->txn, err);
}

enum status view_begin_anew(struct view *view, struct error *err)
{
    enum status status = view_begin(view, err);

    if (status != STATUS_OK)
        return status;
    members_release(&view->members);
    return members_read(&view->members, view->txn, err);
}

const char *view_node_name(const struct view *view, uint64_t node)
{
    static char id[NODE_ID_TEXT_SIZE];
    const struct member_name *member = members_get(&view->members, node);

    if (member != NULL)
        return member->name;
    node_id_text(node, id);
    return id;
}

void view_put_origin(const struct view *view, json_t *object, uint64_t origin)
{
    const struct member_name *member = members_get(&view->members, origin);

    json_put_node(object, "origin", origin);
    if (member != NULL)
        json_put_text(object, "name", member->name);
    else
        json_put(object, "name", json_null());
}
