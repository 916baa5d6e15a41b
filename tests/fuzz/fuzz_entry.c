/* Entry headers and member records; the first byte says which. What decodes encodes to
 * the same bytes. */
#include "log/entry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool recode_header(struct bytes in, struct buffer *out, struct error *err)
{
    struct entry_header header;
    struct bytes value;

    if (entry_header_decode(in, &header, err) != STATUS_OK)
        return false;
    entry_header_encode(out, &header);
    if (entry_field_find(header.fields, FIELD_USER, &value) &&
        value.size > header.fields.size)
        abort();
    return true;
}

static bool recode_member(struct bytes in, struct buffer *out, struct error *err)
{
    struct member member;

    if (member_decode(in, &member, err) != STATUS_OK)
        return false;
    member_encode(out, &member);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = {0};
    struct bytes in;
    struct error err;
    bool whole;

    if (size == 0)
        return 0;
    in = (struct bytes){data + 1, size - 1};
    whole =
        data[0] % 2 == 0 ? recode_header(in, &out, &err) : recode_member(in, &out, &err);
    if (whole && !bytes_equal(in, buffer_view(&out)))
        abort();
    buffer_release(&out);
    return 0;
}
