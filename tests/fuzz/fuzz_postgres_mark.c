/* The mark of a transaction of our own in Postgres: what is taken for one is, byte for
 * byte, what would be written. */
#include "engine/postgres_mark.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    char text[POSTGRES_MARK_SIZE];
    struct postgres_mark mark;

    if (postgres_mark_parse(in, &mark)) {
        postgres_mark_format(text, &mark);
        if (!bytes_equal(in, bytes_of_text(text)))
            abort();
    }
    return 0;
}
