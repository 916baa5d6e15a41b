/* Bodies of changes, and each image under a table of four columns, of SQLite's or of
 * Postgres. What decodes encodes to the same bytes. */
#include "log/change.h"
#include "log/image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct column columns[] = {
    {.name = "a", .type = FLEET_UUID,    .key_position = 2             },
    {.name = "g", .type = FLEET_TEXT,    .generated = GENERATED_VIRTUAL},
    {.name = "b", .type = FLEET_NUMERIC, .key_position = 1             },
    {.name = "c", .type = FLEET_TEXT,    .key_position = 0             },
};
static const struct definition tables[] = {
    {.name = "t",
     .dialect = DIALECT_SQLITE,
     .columns = columns,
     .column_count = 4,
     .stored_count = 3,
     .key_count = 2},
    {.name = "t",
     .dialect = DIALECT_POSTGRES,
     .columns = columns,
     .column_count = 4,
     .stored_count = 3,
     .key_count = 2},
};

static void recode_image(const struct change *change)
{
    const struct definition *table = &tables[change->definition % 2];
    struct image image;
    struct buffer out = {0};
    struct buffer key = {0};
    struct error err;
    bool same = false;

    image_init(&image);
    if (change->op == CHANGE_DELETE) {
        (void)!image_decode_key(&image, table, change->key, &err);
    } else if (image_decode(&image, change->image, table, change->key, &err) ==
               STATUS_OK) {
        image_encode(&out, image.values, table);
        if (!bytes_equal(buffer_view(&out), change->image) ||
            image_key(&key, image.values, table, &err) != STATUS_OK ||
            !bytes_equal(buffer_view(&key), change->key) ||
            image_same_content(change->image, table, buffer_view(&out), table,
                               change->key, &same, &err) != STATUS_OK ||
            !same)
            abort();
    }
    image_release(&image);
    buffer_release(&out);
    buffer_release(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = {data, size};
    struct buffer out = {0};
    struct change change;
    struct error err;

    while (rest.size > 0 && change_take(&rest, &change, &err) == STATUS_OK) {
        change_put(&out, &change);
        recode_image(&change);
    }
    if (!bytes_equal((struct bytes){data, size - rest.size}, buffer_view(&out)))
        abort();
    buffer_release(&out);
    return 0;
}
