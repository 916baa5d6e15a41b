/* State files. First byte 0: the file as it comes; 1: its content; 2: an acknowledgement;
 * 3 and 4: ranges without and with hashes. What decodes encodes to the same bytes. */
#include "log/sealing.h"
#include "ship/folder_state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct identity identity = {.node = 1, .key_generation = 1};
static struct error err;

static void open_file(struct bytes in)
{
    struct buffer content = {0};
    enum refusal refusal;
    enum status status =
        seal_take(in, SEAL_STATE, &identity, "x", &content, &refusal, &err);

    if (status == STATUS_REFUSED && refusal == REFUSAL_NONE)
        abort();
    buffer_release(&content);
}

static bool recode_state(struct bytes in, struct buffer *out)
{
    struct folder_state state;
    bool whole;

    folder_state_init(&state);
    whole = folder_state_decode(in, &state, &err) == STATUS_OK;
    if (whole)
        folder_state_encode(out, &state);
    folder_state_release(&state);
    return whole;
}

static bool recode_ack(struct bytes in, struct buffer *out)
{
    struct acknowledgement ack;
    bool whole;

    acknowledgement_init(&ack);
    whole = acknowledgement_take(&in, &ack, &err) == STATUS_OK;
    if (whole)
        acknowledgement_put(out, &ack);
    acknowledgement_release(&ack);
    buffer_put_bytes(out, in);
    return whole;
}

static bool recode_ranges(struct bytes in, struct buffer *out, bool with_hashes)
{
    struct segment_ranges ranges;
    bool whole;

    segment_ranges_init(&ranges);
    whole = segment_ranges_take(&in, &ranges, with_hashes, &err) == STATUS_OK;
    if (whole)
        segment_ranges_put(out, &ranges, with_hashes);
    segment_ranges_release(&ranges);
    buffer_put_bytes(out, in);
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = {0};
    struct bytes in;
    bool whole = false;

    if (size == 0)
        return 0;
    in = (struct bytes){data + 1, size - 1};
    if (data[0] == 0)
        open_file(in);
    else if (data[0] == 1)
        whole = recode_state(in, &out);
    else if (data[0] == 2)
        whole = recode_ack(in, &out);
    else
        whole = recode_ranges(in, &out, data[0] == 4);
    if (whole && !bytes_equal(in, buffer_view(&out)))
        abort();
    buffer_release(&out);
    return 0;
}
