#include "cli/print.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOB_SHOWN_MAX = 8 };

const char *size_text(uint64_t bytes, char out[SIZE_TEXT_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        (void)snprintf(out, SIZE_TEXT_SIZE, "%" PRIu64 " byte%s", bytes, plural(bytes));
        return out;
    }
    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(out, SIZE_TEXT_SIZE, "%.1f %s", size, units[unit]);
    return out;
}

static bool break_down(uint64_t stamp_us, struct tm *out)
{
    time_t seconds = (time_t)(stamp_us / 1000000);

    return gmtime_r(&seconds, out) != NULL;
}

const char *time_text(uint64_t stamp_us, char out[TIME_TEXT_SIZE])
{
    struct tm tm;

    if (stamp_us == 0)
        (void)snprintf(out, TIME_TEXT_SIZE, "before the fleet");
    else if (!break_down(stamp_us, &tm) ||
             strftime(out, TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
        (void)snprintf(out, TIME_TEXT_SIZE, "%" PRIu64 " us", stamp_us);
    return out;
}

const char *time_local(uint64_t stamp_us, char out[TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)(stamp_us / 1000000);
    struct tm tm;

    if (stamp_us == 0 || localtime_r(&seconds, &tm) == NULL ||
        strftime(out, TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
        return time_text(stamp_us, out);
    return out;
}

const char *time_iso(uint64_t stamp_us, char out[TIME_TEXT_SIZE])
{
    struct tm tm;
    size_t size = 0;

    if (break_down(stamp_us, &tm))
        size = strftime(out, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + size, TIME_TEXT_SIZE - size, ".%06" PRIu64 "Z",
                   stamp_us % 1000000);
    return out;
}

const char *span_text(uint64_t span_us, char out[SPAN_TEXT_SIZE])
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {
        {"day",    86400},
        {"hour",   3600 },
        {"minute", 60   },
        {"second", 1    }
    };
    uint64_t seconds = span_us / 1000000, count;

    for (size_t i = 0;; i++) {
        count = seconds / units[i].seconds;
        if (count < 2 && units[i].seconds > 1)
            continue;
        (void)snprintf(out, SPAN_TEXT_SIZE, "%" PRIu64 " %s%s", count, units[i].name,
                       plural(count));
        return out;
    }
}

const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

int real_digits(double real)
{
    char text[40];

    for (int digits = 15; digits < 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, real);
        if (strtod(text, NULL) == real)
            return digits;
    }
    return 17;
}

void print_no_memory(void)
{
    (void)fputs("rowferry: out of memory\n", stderr);
    exit(3);
}

/* ---- text */

/* One character from the front of text; what a terminal might obey is spelled out. */
static void print_character(FILE *out, struct bytes *text)
{
    static const char spelled[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
    int width;
    size_t size = character_size(*text, &width);
    uint8_t first = text->data[0];
    const char *known = first != 0 ? strchr(spelled, first) : NULL;
    bool is_c1 = size == 2 && first == 0xc2 && text->data[1] < 0xa0;

    if (known != NULL)
        (void)fprintf(out, "\\%c", letters[known - spelled]);
    else if (size == 0 || first < 0x20 || first == 0x7f)
        (void)fprintf(out, "\\x%02x", first);
    else if (is_c1)
        (void)fprintf(out, "\\u%04x", text->data[1]);
    else
        (void)fwrite(text->data, 1, size, out);
    size = size == 0 ? 1 : size;
    text->data += size;
    text->size -= size;
}

/* Columns that print_character() needs for it. */
static int character_width(struct bytes text)
{
    uint8_t first = text.data[0];
    int width;
    size_t size = character_size(text, &width);

    if (first != 0 && strchr("\a\b\t\n\v\f\r", first) != NULL)
        return 2;
    if (size == 0 || first < 0x20 || first == 0x7f)
        return 4; /* \xNN */
    return size == 2 && first == 0xc2 && text.data[1] < 0xa0 ? 6 : width;
}

void print_plain(FILE *out, struct bytes text)
{
    while (text.size > 0)
        print_character(out, &text);
}

char *plain_text(struct bytes text)
{
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);

    if (out == NULL)
        print_no_memory();
    print_plain(out, text);
    if (fclose(out) != 0 || made == NULL)
        print_no_memory();
    return made;
}

static void print_text(FILE *out, struct bytes text, size_t limit)
{
    size_t column = 0;

    (void)fputc('\'', out);
    while (text.size > 0) {
        bool quote = text.data[0] == '\'';

        column += quote ? 2 : (size_t)character_width(text);
        if (column > limit) {
            (void)fputs("…'", out);
            return;
        }
        if (quote)
            (void)fputc('\'', out);
        print_character(out, &text);
    }
    (void)fputc('\'', out);
}

static void print_blob(FILE *out, struct bytes blob)
{
    size_t shown = blob.size < BLOB_SHOWN_MAX ? blob.size : BLOB_SHOWN_MAX;

    (void)fputs("x'", out);
    for (size_t i = 0; i < shown; i++)
        (void)fprintf(out, "%02x", blob.data[i]);
    if (shown == blob.size)
        (void)fputc('\'', out);
    else
        (void)fprintf(out, "…' (%zu bytes)", blob.size);
}

static void print_real(FILE *out, double real)
{
    char text[40];

    if (isnan(real) || isinf(real)) {
        (void)fputs(isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity", out);
        return;
    }
    (void)snprintf(text, sizeof text, "%.*g", real_digits(real), real);
    (void)fprintf(out, "%s%s", text, strpbrk(text, ".e") == NULL ? ".0" : "");
}

void print_value(FILE *out, const struct value *value, size_t limit)
{
    switch (value->type) {
    case VALUE_INTEGER:
        (void)fprintf(out, "%" PRId64, value->integer);
        return;
    case VALUE_REAL:
        print_real(out, value->real);
        return;
    case VALUE_TEXT:
    case VALUE_TYPED:
        print_text(out, value->bytes, limit);
        return;
    case VALUE_BLOB:
        print_blob(out, value->bytes);
        return;
    case VALUE_NULL:
    case VALUE_KEY:
    case VALUE_ABSENT:
        break;
    }
    (void)fputs(value->type == VALUE_ABSENT ? "absent" : "NULL", out);
}

void print_key(FILE *out, struct bytes key, const struct definition *definition)
{
    struct buffer scratch;
    struct value value;
    struct error ignored;
    enum status status;

    buffer_init(&scratch);
    (void)fputc('(', out);
    for (uint32_t i = 0; i < definition->key_count; i++) {
        buffer_clear(&scratch);
        status = row_key_take(&key, &value, &scratch, &ignored);
        if (status == STATUS_NO_MEMORY)
            print_no_memory();
        if (status != STATUS_OK)
            break;
        (void)fputs(i > 0 ? ", " : "", out);
        print_value(out, &value, 60);
    }
    (void)fputc(')', out);
    buffer_release(&scratch);
}

/* ---- lines */

void wrap_item(struct wrap *wrap, const char *item)
{
    char *plain = plain_text(bytes_of_text(item)); /* names may hold anything */
    int width = (int)text_width(plain);

    if (wrap->column > 0 && wrap->column + 2 + width > PRINT_COLUMNS - 1) {
        (void)fputs(",\n", wrap->out);
        wrap->column = 0;
    } else if (wrap->column > 0) {
        (void)fputs(", ", wrap->out);
        wrap->column += 2;
    }
    if (wrap->column == 0) {
        (void)fprintf(wrap->out, "%*s", wrap->indent, "");
        wrap->column = wrap->indent;
    }
    (void)fputs(plain, wrap->out);
    free(plain);
    wrap->column += width;
}

void wrap_end(struct wrap *wrap)
{
    if (wrap->column > 0)
        (void)fputc('\n', wrap->out);
    wrap->column = 0;
}

void print_words(FILE *out, int indent, const char *text)
{
    int column = 0;

    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        int width = text_columns((struct bytes){(const uint8_t *)text, size});

        if (column > indent && column + 1 + width > PRINT_COLUMNS - 1) {
            (void)fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%*s", column == 0 ? indent : 1, "") + width;
        (void)fwrite(text, 1, size, out);
        text += size;
        text += *text == ' ';
    }
    if (column > 0)
        (void)fputc('\n', out);
}
