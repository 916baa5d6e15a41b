/* What a line of progress says, and when it is time to say it. Pure: `now` is handed in,
 * microseconds of a clock that only goes forward. */
#ifndef CLI_METER_H
#define CLI_METER_H

#include "log/progress.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    METER_FIRST_US = 500000, /* what takes no longer needs no line */
    METER_EVERY_US = 200000,
    METER_LINE_SIZE = 1024,
};

struct meter {
    uint64_t start_us; /* of the whole command */
    uint64_t shown_us; /* when it was time last; 0: never */
    const char *step;  /* the step at hand; NULL: none yet */
    uint64_t step_us;  /* when it came to hand, and with how much done */
    uint64_t step_done;
};

void meter_init(struct meter *meter, uint64_t now_us);

/* Note where the work stands. True: time to show it. */
bool meter_note(struct meter *meter, const struct progress_state *state, uint64_t now_us);

/* "sync: import b-00000001.rfseg: 1.2 MiB of 5.0 MiB (24%), 600 KiB/s, 7 s left", in at
 * most `columns` columns and METER_LINE_SIZE bytes; what has no meaning on a terminal is
 * left out. Returns how many columns it takes. */
size_t meter_line(const struct meter *meter, const char *command,
                  const struct progress_state *state, uint64_t now_us, size_t columns,
                  char out[METER_LINE_SIZE]);

#endif
