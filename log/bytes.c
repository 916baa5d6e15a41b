#include "log/bytes.h"

struct bytes bytes_of_text(const char *text)
{
    assert(text != NULL);
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool bytes_take_long_varint(struct bytes *in, uint64_t *value)
{
    size_t most = in->size < VARINT_SIZE_MAX ? in->size : VARINT_SIZE_MAX;
    uint64_t result = 0;

    for (size_t i = 0; i < most; i++) {
        uint64_t byte = in->data[i];

        result |= (byte & 0x7f) << (7 * i);
        if (byte >= 0x80)
            continue;
        if (byte == 0 && i > 0)
            return false; /* not the shortest form */
        if (byte > 1 && i == VARINT_SIZE_MAX - 1)
            return false; /* over 64 bits */
        *value = result;
        in->data += i + 1;
        in->size -= i + 1;
        return true;
    }
    return false;
}

size_t varint_size(uint64_t value)
{
    size_t size = 1;

    while ((value >>= 7) != 0)
        size++;
    return size;
}

/* How many bytes follow this first one of a sequence, and the smallest code point that
 * needs so many; a shorter way to write one is not UTF-8. */
static size_t utf8_following(uint8_t first, uint32_t *least)
{
    if (first < 0x80)
        return *least = 0, 0;
    if (first >= 0xc2 && first <= 0xdf)
        return *least = 0x80, 1;
    if (first >= 0xe0 && first <= 0xef)
        return *least = 0x800, 2;
    if (first >= 0xf0 && first <= 0xf4)
        return *least = 0x10000, 3;
    return SIZE_MAX;
}

bool bytes_are_utf8(struct bytes text)
{
    for (size_t i = 0; i < text.size;) {
        uint32_t least = 0;
        size_t following = utf8_following(text.data[i], &least);
        uint32_t point;

        if (following > 3 || following > text.size - i - 1)
            return false;
        point = following == 0 ? text.data[i] : text.data[i] & (0x3fU >> following);
        for (size_t j = 1; j <= following; j++) {
            if ((text.data[i + j] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (text.data[i + j] & 0x3f);
        }
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += 1 + following;
    }
    return true;
}
