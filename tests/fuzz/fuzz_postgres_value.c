/* What Postgres prints, by type (the first byte), and lines of COPY. What is taken gives
 * the same text, a real a text of the same double. */
#include "engine/postgres_copy.h"
#include "engine/postgres_value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(enum fleet_type type, struct bytes in)
{
    struct buffer scratch = {0};
    struct buffer sent = {0};
    struct value value;
    struct value again;
    struct bytes out;
    struct error err;

    if (postgres_value_take(type, in, &scratch, &value, &err) == STATUS_OK) {
        if (postgres_value_text(&value, type, &sent, &out, &err) == STATUS_OK) {
            if (type == FLEET_REAL) {
                if (postgres_value_take(type, out, &scratch, &again, &err) != STATUS_OK ||
                    !value_equal(&value, &again))
                    abort();
            } else if (!bytes_equal(in, out)) {
                abort();
            }
        } else if (bytes_are_utf8(in)) {
            abort();
        }
    }
    buffer_release(&scratch);
    buffer_release(&sent);
}

static void check_line(uint32_t count, struct bytes in)
{
    struct bytes columns[8];
    struct buffer scratch = {0};
    struct buffer out = {0};
    struct error err;

    if (postgres_copy_take(in, columns, count, &scratch, &err) == STATUS_OK) {
        for (uint32_t i = 0; i < count; i++)
            postgres_copy_put(&out, i, columns[i]);
        postgres_copy_end(&out);
        if (!bytes_equal(in, buffer_view(&out)))
            abort();
    }
    buffer_release(&scratch);
    buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in;
    unsigned kind;

    if (size == 0)
        return 0;
    in = (struct bytes){data + 1, size - 1};
    kind = data[0] % (FLEET_TYPES + 8U);
    if (kind >= FLEET_TYPES)
        check_line(kind - FLEET_TYPES + 1, in);
    else if (kind > FLEET_ANY)
        check_value((enum fleet_type)kind, in);
    return 0;
}
