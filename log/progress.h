/* Progress: how far long work is, for whoever watches. Work counts a step; the watcher is
 * told when the step begins and after every so many items.
 *
 * Never allocates, never fails. The watcher is called on the thread that does the work,
 * never on two at once. */
#ifndef LOG_PROGRESS_H
#define LOG_PROGRESS_H

#include <stdint.h>

enum progress_unit { PROGRESS_ROWS, PROGRESS_ENTRIES, PROGRESS_BYTES };

/* Where a step stands. Texts live until the watcher returns. */
struct progress_state {
    const char *step; /* what is done: "read" */
    const char *part; /* to which table or file; NULL: to all */
    enum progress_unit unit;
    uint64_t done;  /* 0: the step begins */
    uint64_t all;   /* as good as is known, may be passed; 0: unknown */
    uint64_t bytes; /* of what is done, where that is counted in something else; 0: not
                       known */
};

typedef void (*progress_cb)(void *data, const struct progress_state *state);

struct progress {
    progress_cb watch;
    void *data;
};

/* A step at work. */
struct progress_step {
    const struct progress *progress; /* NULL: nobody watches */
    struct progress_state state;
    uint64_t told; /* of done */
};

/* Begin a step. progress: NULL when nobody watches; it and the texts outlive the step.
 * part may be NULL, all 0. */
void progress_begin(struct progress_step *step, const struct progress *progress,
                    const struct progress_state *state);

/* Count what was done since. A step that is all zero, never begun, counts for nobody. */
void progress_add(struct progress_step *step, uint64_t more);

/* One more, of so many bytes. */
void progress_add_sized(struct progress_step *step, uint64_t size);

/* The same with the whole that is done so far. */
void progress_reach(struct progress_step *step, uint64_t done);

#endif
