/* Something that goes wrong again and again and is tried again and again: when, and when
 * to say so. Pure. Times: milliseconds of a clock that only goes forward. */
#ifndef NODE_TROUBLE_H
#define NODE_TROUBLE_H

#include "log/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TROUBLE_FIRST_MS = 1000, /* until the next try; then twice as long … */
    TROUBLE_MOST_MS = 60000,
};

/* All zero: there is none. */
struct trouble {
    bool is;
    enum status status;
    struct error said;
    uint64_t delay_ms;
    uint64_t next_ms; /* the next try */
};

/* It failed, now. True: with another reason than the last time, or for the first time. */
bool trouble_note(struct trouble *trouble, enum status status, const struct error *err,
                  uint64_t now_ms);

/* Something has happened that may have mended it: try soon. */
void trouble_hurry(struct trouble *trouble, uint64_t now_ms);

/* It went well. True: there was trouble before. */
bool trouble_end(struct trouble *trouble);

#endif
