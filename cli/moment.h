/* --since and --until: a local seq, a time, or how long ago. */
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

#include "log/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A time names a whole day, minute or second, or its fraction: from since_us up to
 * until_us, both included, in microseconds since 1970. */
struct moment {
    bool is_seq;
    uint64_t seq;
    uint64_t since_us;
    uint64_t until_us;
};

/* "120" is a seq. "2026-11-23", "2026-11-23 02:46", "2026-11-23T02:46:08.5" is a time, in
 * UTC, unless a zone follows: "Z", "+01:00", "-0330", "+01". "90s", "15m", "2h", "3d" is
 * the moment so long before now. option is for the message. USAGE. */
MUST_CHECK enum status moment_read(const char *option, const char *text, uint64_t now_us,
                                   struct moment *out, struct error *err);

#endif
