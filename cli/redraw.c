#include "cli/redraw.h"

#include "cli/store_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLEAR           "\033[2J"
#define HOME            "\033[H"
#define CLEAR_LINE_REST "\033[K"
#define CLEAR_REST      "\033[J"
#define WRAP_OFF        "\033[?7l"
#define WRAP_ON         "\033[?7h"

struct redrawing {
    const struct invocation *invocation;
    redraw_cb print;
    char *last; /* owned: what was printed before; NULL: nothing yet */
    size_t last_size;
};

/* Lines of the terminal, but one for the cursor; many when it doesn't say. */
static size_t rows_of_terminal(void)
{
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2)
        return SIZE_MAX;
    return size.ws_row - 1U;
}

static size_t count_lines(struct bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    return count;
}

/* Over what was there, without a moment of nothing; cut to what the terminal has. */
static void draw(struct bytes text, bool first)
{
    size_t rows = rows_of_terminal(), count = count_lines(text);
    size_t shown = count <= rows ? count : rows - 1;
    const char *at = (const char *)text.data;

    (void)printf(WRAP_OFF HOME "%s", first ? CLEAR : "");
    for (size_t i = 0; i < shown; i++) {
        size_t size = strcspn(at, "\n");

        (void)fwrite(at, 1, size, stdout);
        (void)fputs(CLEAR_LINE_REST "\n", stdout);
        at += size + 1;
    }
    if (shown < count)
        (void)printf("… %zu more lines" CLEAR_LINE_REST "\n", count - shown);
    (void)fputs(CLEAR_REST WRAP_ON, stdout);
}

static enum status keep(struct redrawing *redrawing, struct bytes page, struct error *err)
{
    char *copy = malloc(page.size + 1);

    if (copy == NULL)
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    memcpy(copy, page.data, page.size);
    copy[page.size] = '\0';
    free(redrawing->last);
    redrawing->last = copy;
    redrawing->last_size = page.size;
    return STATUS_OK;
}

static enum status print_once(struct redrawing *redrawing, struct error *err)
{
    bool first = redrawing->last == NULL;
    struct bytes last, page = {0};
    struct view view;
    enum status status = view_open(&view, redrawing->invocation, err);

    if (status == STATUS_OK)
        status = redrawing->print(&view, err);
    if (status == STATUS_OK)
        status = view_end_page(&view, &page, err);
    if (status == STATUS_OK) {
        last = (struct bytes){(const uint8_t *)redrawing->last, redrawing->last_size};
        if (!view.json)
            draw(page, first);
        else if (first || !bytes_equal(page, last))
            (void)fwrite(page.data, 1, page.size, stdout);
        status = keep(redrawing, page, err);
    }
    view_close(&view);
    return status;
}

enum status redraw(const struct invocation *invocation, redraw_cb print,
                   struct error *err)
{
    struct redrawing redrawing = {.invocation = invocation, .print = print};
    struct store_watch *watch = NULL;
    enum status status;

    if (!invocation->json && isatty(STDOUT_FILENO) == 0) {
        return error_set(err, STATUS_USAGE,
                         "--watch draws on a terminal; with --json it prints a line "
                         "whenever something changes");
    }
    status = store_watch_open(&watch, invocation->store, err);
    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && !store_watch_is_over(watch)) {
        status = print_once(&redrawing, err);
        status = store_watch_finish(watch, status, err);
        if (status == STATUS_OK)
            status = store_watch_wait(watch, err);
    }
    store_watch_close(watch);
    free(redrawing.last);
    return status;
}
