/* --since and --until: a local seq, a time, or how long ago. */
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

#include "log/error.h"

#include <stdbool.h>
#include <stdint.h>

struct moment {
    bool is_seq;
    uint64_t seq;
    uint64_t time_us; /* microseconds since 1970 */
};

/* "120" is a seq; "2026-11-23", "2026-11-23 02:46", "2026-11-23T02:46:08Z" a time (UTC);
 * "90s", "15m", "2h", "3d" so long before now. option is for the message. USAGE. */
MUST_CHECK enum status moment_read(const char *option, const char *text, uint64_t now_us,
                                   struct moment *out, struct error *err);

#endif
