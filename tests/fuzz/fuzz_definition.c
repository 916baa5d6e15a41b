/* Table definitions. What decodes encodes to the same bytes, and equals itself. */
#include "log/definition.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct definition *definition;
    struct definition *again;
    struct buffer out = {0};
    struct error err;

    if (definition_decode(in, &definition, &err) != STATUS_OK)
        return 0;
    definition_encode(&out, definition);
    if (!bytes_equal(in, buffer_view(&out)) ||
        definition_decode(buffer_view(&out), &again, &err) != STATUS_OK ||
        !definition_equal(definition, again) || !definition_same_image(definition, again))
        abort();
    definition_close(again);
    definition_close(definition);
    buffer_release(&out);
    return 0;
}
