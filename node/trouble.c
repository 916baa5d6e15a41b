#include "node/trouble.h"

#include <assert.h>
#include <string.h>

bool trouble_note(struct trouble *trouble, enum status status, const struct error *err,
                  uint64_t now_ms)
{
    bool news = !trouble->is || strcmp(trouble->said.text, err->text) != 0;

    assert(status != STATUS_OK);
    trouble->delay_ms = trouble->is ? trouble->delay_ms * 2 : TROUBLE_FIRST_MS;
    if (trouble->delay_ms > TROUBLE_MOST_MS)
        trouble->delay_ms = TROUBLE_MOST_MS;
    trouble->is = true;
    trouble->status = status;
    trouble->said = *err;
    trouble->next_ms = now_ms + trouble->delay_ms;
    return news;
}

void trouble_hurry(struct trouble *trouble, uint64_t now_ms)
{
    if (trouble->is && trouble->next_ms > now_ms + TROUBLE_FIRST_MS)
        trouble->next_ms = now_ms + TROUBLE_FIRST_MS;
}

bool trouble_end(struct trouble *trouble)
{
    bool was = trouble->is;

    *trouble = (struct trouble){0};
    return was;
}
