#include "cli/meter.h"

#include "cli/print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COUNTS_SIZE = 200, NUMBER_SIZE = SIZE_TEXT_SIZE };

void meter_init(struct meter *meter, uint64_t now_us)
{
    *meter = (struct meter){.start_us = now_us};
}

/* A rate is of one step, from when it came to hand: others may have come between. */
static void note_step(struct meter *meter, const struct progress_state *state,
                      uint64_t now_us)
{
    bool same = meter->step != NULL && strcmp(meter->step, state->step) == 0;

    if (same && state->done > 0)
        return;
    meter->step = state->step;
    meter->step_us = now_us;
    meter->step_done = state->done;
}

bool meter_note(struct meter *meter, const struct progress_state *state, uint64_t now_us)
{
    note_step(meter, state, now_us);
    if (now_us - meter->start_us < METER_FIRST_US ||
        (meter->shown_us != 0 && now_us - meter->shown_us < METER_EVERY_US))
        return false;
    meter->shown_us = now_us;
    return true;
}

/* ---- the line */

static const char *number(const struct progress_state *state, uint64_t count,
                          char out[NUMBER_SIZE])
{
    if (state->unit == PROGRESS_BYTES)
        return size_text(count, out);
    (void)snprintf(out, NUMBER_SIZE, "%" PRIu64, count);
    return out;
}

/* Text goes on at out + *used; cut when it is too long. */
static void put(char *out, size_t size, size_t *used, const char *text)
{
    int more = snprintf(out + *used, size - *used, "%s", text);

    assert(more >= 0);
    *used += (size_t)more < size - *used ? (size_t)more : size - *used - 1;
}

/* ", 600 KiB/s, 7 seconds left" */
static void put_rate(const struct meter *meter, const struct progress_state *state,
                     uint64_t now_us, char *out, size_t size, size_t *used)
{
    double elapsed = (double)(now_us - meter->step_us) / 1e6;
    double rate = (double)(state->done - meter->step_done) / elapsed;
    char text[NUMBER_SIZE];
    char left[SPAN_TEXT_SIZE];

    if (elapsed <= 0 || rate < 1)
        return;
    put(out, size, used, ", ");
    put(out, size, used, number(state, (uint64_t)rate, text));
    put(out, size, used, "/s");
    if (state->all <= state->done)
        return;
    put(out, size, used, ", ");
    put(out, size, used,
        span_text((uint64_t)((double)(state->all - state->done) / rate * 1e6), left));
    put(out, size, used, " left");
}

/* ": 1200 of 5000 rows (24%), 3.1 MiB, 600/s, 7 seconds left"; nothing of a step that
 * only begins. */
static void put_counts(const struct meter *meter, const struct progress_state *state,
                       uint64_t now_us, char out[COUNTS_SIZE])
{
    static const char *const units[] = {[PROGRESS_ROWS] = " rows",
                                        [PROGRESS_ENTRIES] = " entries",
                                        [PROGRESS_BYTES] = ""};
    char text[NUMBER_SIZE];
    size_t used = 0;

    out[0] = '\0';
    if (state->done == 0)
        return;
    put(out, COUNTS_SIZE, &used, ": ");
    put(out, COUNTS_SIZE, &used, number(state, state->done, text));
    if (state->all >= state->done) {
        put(out, COUNTS_SIZE, &used, " of ");
        put(out, COUNTS_SIZE, &used, number(state, state->all, text));
    }
    put(out, COUNTS_SIZE, &used, units[state->unit]);
    if (state->all >= state->done) {
        (void)snprintf(text, sizeof text, " (%.0f%%)",
                       (double)state->done / (double)state->all * 100);
        put(out, COUNTS_SIZE, &used, text);
    }
    if (state->bytes > 0) {
        put(out, COUNTS_SIZE, &used, ", ");
        put(out, COUNTS_SIZE, &used, size_text(state->bytes, text));
    }
    put_rate(meter, state, now_us, out, COUNTS_SIZE, &used);
}

/* Bytes of one character, and the columns it takes at most: of wide ones two. */
static size_t take_character(const char *text, size_t *columns)
{
    size_t size = 1;

    while (((unsigned char)text[size] & 0xc0) == 0x80)
        size++;
    *columns = size > 1 ? 2 : 1;
    return size;
}

static bool is_control(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;

    return (size == 1 && (bytes[0] < ' ' || bytes[0] > '~')) ||
           (size == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

/* Append what fits into columns of it, made harmless; returns the columns taken. */
static size_t put_fitting(char out[METER_LINE_SIZE], const char *text, size_t columns)
{
    size_t used = strlen(out), taken = 0, size, wide;

    for (; *text != '\0'; text += size) {
        size = take_character(text, &wide);
        if (taken + wide > columns || used + size >= METER_LINE_SIZE)
            break;
        taken += wide;
        if (is_control(text, size)) {
            out[used++] = '?';
        } else {
            memcpy(out + used, text, size);
            used += size;
        }
        out[used] = '\0';
    }
    return taken;
}

size_t meter_line(const struct meter *meter, const char *command,
                  const struct progress_state *state, uint64_t now_us, size_t columns,
                  char out[METER_LINE_SIZE])
{
    char counts[COUNTS_SIZE];
    size_t room, taken;

    put_counts(meter, state, now_us, counts);
    room = columns > strlen(counts) ? columns - strlen(counts) : 0;
    out[0] = '\0';
    taken = put_fitting(out, command, room);
    if (strcmp(command, state->step) != 0) {
        taken += put_fitting(out, ": ", room - taken);
        taken += put_fitting(out, state->step, room - taken);
    }
    if (state->part != NULL) {
        taken += put_fitting(out, strcmp(command, state->step) == 0 ? ": " : " ",
                             room - taken);
        taken += put_fitting(out, state->part, room - taken);
    }
    return taken + put_fitting(out, counts, columns - taken);
}
