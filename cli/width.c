#include "cli/width.h"

#include "cli/print.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

/* ---- characters */

static wchar_t code_point(const uint8_t *at, size_t size)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    wchar_t code = at[0] & first_bits[size];

    for (size_t i = 1; i < size; i++)
        code = (code << 6) | (at[i] & 0x3f);
    return code;
}

/* What the C library does not know may take two columns: rather a line too short. */
static int code_width(wchar_t code)
{
    enum { WIDE_FROM = 0x1100, EMOJI_FROM = 0x1f000 };
    static locale_t utf8;
    static bool asked;
    locale_t before;
    int width;

    if (!asked)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    asked = true;
    if (utf8 == (locale_t)0)
        return code < WIDE_FROM ? 1 : 2;
    before = uselocale(utf8);
    width = wcwidth(code);
    (void)uselocale(before);
    return width >= 0 ? width : code < EMOJI_FROM ? 1 : 2;
}

size_t character_size(struct bytes text, int *width)
{
    static const uint8_t floors[] = {0, 0x00, 0xc2, 0xe0, 0xf0};

    *width = 1;
    if (text.data[0] < 0x80)
        return 1;
    for (size_t size = 2; size <= 4 && size <= text.size; size++) {
        if (text.data[0] < floors[size] ||
            !bytes_are_utf8((struct bytes){text.data, size}))
            continue;
        *width = code_width(code_point(text.data, size));
        return size;
    }
    return 0;
}

/* ---- texts */

/* Take the character at the front; its width. */
static int take(struct bytes *text)
{
    int width;
    size_t size = character_size(*text, &width);

    size = size == 0 ? 1 : size;
    text->data += size;
    text->size -= size;
    return width;
}

int text_columns(struct bytes text)
{
    int width = 0;

    while (text.size > 0)
        width += take(&text);
    return width;
}

size_t text_width(const char *text)
{
    return (size_t)text_columns(bytes_of_text(text));
}

/* ---- lines */

/* How many bytes of a line go into so many columns: up to the last blank in their second
 * half, if there is one, else as many characters as fit, at least one. */
static size_t fitting(struct bytes line, int columns)
{
    struct bytes rest = line;
    size_t blank = 0, fits = 0;
    int taken = 0;

    while (rest.size > 0) {
        size_t at = line.size - rest.size;

        if (rest.data[0] == ' ' && taken > columns / 2)
            blank = at;
        taken += take(&rest);
        if (taken > columns && fits > 0) /* the blank itself may stand outside */
            return blank > 0 ? blank : fits;
        fits = line.size - rest.size;
    }
    return line.size;
}

static void fold_line(FILE *out, struct bytes line)
{
    enum { INDENT = 4, INDENT_MAX = 24 };
    int indent = 0, column = 0;

    while ((size_t)indent < line.size && line.data[indent] == ' ')
        indent++;
    indent = (indent < INDENT_MAX ? indent : INDENT_MAX) + INDENT;
    while (line.size > 0) {
        size_t size = fitting(line, PRINT_COLUMNS - 1 - column);

        (void)fprintf(out, "%*s", column, "");
        (void)fwrite(line.data, 1, size, out);
        while (size < line.size && line.data[size] == ' ')
            size++;
        line.data += size;
        line.size -= size;
        if (line.size > 0)
            (void)fputc('\n', out);
        column = indent;
    }
}

void print_folded(FILE *out, struct bytes text)
{
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;

        fold_line(out, (struct bytes){text.data, size});
        if (end != NULL) {
            (void)fputc('\n', out);
            size++;
        }
        text.data += size;
        text.size -= size;
    }
}
