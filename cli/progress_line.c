#include "cli/progress_line.h"

#include "cli/print.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One column is left free: some terminals go to the next line after the last. */
static size_t terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return PRINT_COLUMNS - 1;
    return (size_t)size.ws_col - 1;
}

/* Blanks to the end of what stood there need no word from the terminal's own language. */
static void show(void *data, const struct progress_state *state)
{
    struct progress_line *line = data;
    char text[METER_LINE_SIZE];
    uint64_t now = now_us();
    size_t columns, rest;

    if (!meter_note(&line->meter, state, now))
        return;
    columns =
        meter_line(&line->meter, line->command, state, now, terminal_columns(), text);
    rest = line->columns > columns ? line->columns - columns : 0;
    (void)fprintf(stderr, "\r%s%*s", text, (int)rest, "");
    (void)fflush(stderr);
    line->columns = columns > line->columns ? columns : line->columns;
}

void progress_line_init(struct progress_line *line, const char *command, bool json)
{
    bool shows = isatty(STDERR_FILENO) && (!json || isatty(STDOUT_FILENO));

    *line = (struct progress_line){.command = command};
    if (shows)
        line->progress = (struct progress){show, line};
    meter_init(&line->meter, now_us());
}

void progress_line_release(struct progress_line *line)
{
    progress_line_erase(line);
}

const struct progress *progress_line_watcher(const struct progress_line *line)
{
    return line->progress.watch != NULL ? &line->progress : NULL;
}

void progress_line_erase(struct progress_line *line)
{
    if (line->columns == 0)
        return;
    (void)fprintf(stderr, "\r%*s\r", (int)line->columns, "");
    (void)fflush(stderr);
    line->columns = 0;
}
