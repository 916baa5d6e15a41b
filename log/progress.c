#include "log/progress.h"

#include <assert.h>
#include <stddef.h>

/* Often enough for an eye, rarely enough to cost nothing. */
static const uint64_t every[] = {
    [PROGRESS_ROWS] = 100,
    [PROGRESS_ENTRIES] = 100,
    [PROGRESS_BYTES] = 1 << 12,
};

void progress_begin(struct progress_step *step, const struct progress *progress,
                    const struct progress_state *state)
{
    assert(state->done == 0);
    *step = (struct progress_step){.progress = progress, .state = *state};
    if (progress != NULL)
        progress->watch(progress->data, &step->state);
}

void progress_add(struct progress_step *step, uint64_t more)
{
    step->state.done += more;
    if (step->progress == NULL || step->state.done - step->told < every[step->state.unit])
        return;
    step->told = step->state.done;
    step->progress->watch(step->progress->data, &step->state);
}

void progress_add_sized(struct progress_step *step, uint64_t size)
{
    step->state.bytes += size;
    progress_add(step, 1);
}

void progress_reach(struct progress_step *step, uint64_t done)
{
    if (done > step->state.done)
        progress_add(step, done - step->state.done);
}
