/* Values, and the other small things: row keys, versions, version vectors. The first byte
 * says which. What decodes encodes to the same bytes. */
#include "log/row_key.h"
#include "log/version.h"
#include "log/version_vector.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool recode_value(struct bytes *in, struct buffer *out, struct error *err)
{
    struct value value;

    if (value_take(in, &value, err) != STATUS_OK)
        return false;
    value_put(out, &value);
    return true;
}

static bool recode_row_key(struct bytes *in, struct buffer *out, struct error *err)
{
    struct buffer scratch = {0};
    struct value value;
    bool taken = row_key_take(in, &value, &scratch, err) == STATUS_OK;

    if (taken && row_key_put(out, &value, err) != STATUS_OK)
        abort();
    buffer_release(&scratch);
    return taken;
}

static bool recode_version(struct bytes *in, struct buffer *out, struct error *err)
{
    struct version version;

    (void)err;
    if (!version_take(in, &version))
        return false;
    version_put(out, &version);
    return true;
}

static bool recode_vector(struct bytes *in, struct buffer *out, struct error *err)
{
    struct version_vector vector;
    bool taken;

    version_vector_init(&vector);
    taken = version_vector_take(in, &vector, err) == STATUS_OK;
    if (taken)
        version_vector_put(out, &vector);
    version_vector_release(&vector);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const recodes[])(struct bytes *, struct buffer *, struct error *) = {
        recode_value, recode_row_key, recode_version, recode_vector};
    struct buffer out = {0};
    struct bytes in;
    struct bytes rest;
    struct error err;

    if (size == 0)
        return 0;
    in = rest = (struct bytes){data + 1, size - 1};
    while (rest.size > 0 && recodes[data[0] % 4](&rest, &out, &err))
        continue;
    in.size -= rest.size;
    if (!bytes_equal(in, buffer_view(&out)))
        abort();
    buffer_release(&out);
    return 0;
}
