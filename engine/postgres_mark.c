#include "engine/postgres_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARK_FORMAT "1 node=%016" PRIx64 " from=%" PRIu64 " to=%" PRIu64 " batch=%" PRIu64

void postgres_mark_format(char out[POSTGRES_MARK_SIZE], const struct postgres_mark *mark)
{
    (void)snprintf(out, POSTGRES_MARK_SIZE, MARK_FORMAT, mark->node, mark->from, mark->to,
                   mark->counter);
}

bool postgres_mark_parse(struct bytes content, struct postgres_mark *out)
{
    char text[POSTGRES_MARK_SIZE], again[POSTGRES_MARK_SIZE];

    if (content.size >= sizeof text)
        return false;
    memcpy(text, content.data, content.size);
    text[content.size] = '\0';
    if (sscanf(text, "1 node=%" SCNx64 " from=%" SCNu64 " to=%" SCNu64 " batch=%" SCNu64,
               &out->node, &out->from, &out->to, &out->counter) != 4)
        return false;
    postgres_mark_format(again, out); /* so that it is nothing else, and nothing more */
    return bytes_equal(content, bytes_of_text(again));
}
