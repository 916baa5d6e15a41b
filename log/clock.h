/* The hybrid clock of one node: "later in the database" always means "larger".
 * After Kulkarni et al., "Logical Physical Clocks" (2014), as one 64-bit number. Pure. */
#ifndef LOG_CLOCK_H
#define LOG_CLOCK_H

#include "log/error.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_MAX_SKEW_US_DEFAULT (UINT64_C(5) * 60 * 1000000)

/* The seam of wall time: tests give their own. now_us: microseconds since 1970. */
struct wall_clock {
    uint64_t (*now_us)(void *data);
    void *data;
};

extern const struct wall_clock wall_clock_system;

struct hybrid_clock {
    uint64_t last_us; /* the largest timestamp given or observed */
};

/* The timestamp of a local transaction that committed at commit_us by its source's clock:
 * max(commit_us clamped to now_us + max_skew_us, last + 1). Raises last. */
uint64_t hybrid_clock_next(struct hybrid_clock *clock, uint64_t commit_us,
                           uint64_t now_us, uint64_t max_skew_us);

/* The database has received and applied an entry stamped stamp_us. */
void hybrid_clock_observe(struct hybrid_clock *clock, uint64_t stamp_us);

/* Whether an importer whose wall clock says now_us refuses stamp_us. */
bool clock_is_skewed(uint64_t stamp_us, uint64_t now_us, uint64_t max_skew_us);

#endif
