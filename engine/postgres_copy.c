#include "engine/postgres_copy.h"

#include <assert.h>
#include <string.h>

/* What follows a backslash, and what it means: all that COPY TO writes so. */
static const struct {
    uint8_t letter, meaning;
} escapes[] = {
    {'b',  '\b'},
    {'f',  '\f'},
    {'n',  '\n'},
    {'r',  '\r'},
    {'t',  '\t'},
    {'v',  '\v'},
    {'\\', '\\'},
};

/* The letter for a character; 0: it stands for itself. */
static uint8_t letter_of(uint8_t character)
{
    if (character > '\\' || (character > '\r' && character < '\\'))
        return 0;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].meaning == character)
            return escapes[i].letter;
    return 0;
}

/* What a letter means; 0: nothing. */
static uint8_t meaning_of(uint8_t letter)
{
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].letter == letter)
            return escapes[i].meaning;
    return 0;
}

void postgres_copy_put(struct buffer *out, uint32_t column, struct bytes text)
{
    size_t plain = 0; /* from here on nothing was put yet */

    if (column > 0)
        buffer_put(out, '\t', 1);
    if (text.data == NULL) {
        buffer_put_bytes(out, bytes_of_text("\\N"));
        return;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t letter = letter_of(text.data[i]);

        assert(text.data[i] != 0);
        if (letter == 0)
            continue;
        buffer_put_bytes(out, (struct bytes){text.data + plain, i - plain});
        buffer_put(out, (uint64_t)'\\' << 8 | letter, 2);
        plain = i + 1;
    }
    buffer_put_bytes(out, (struct bytes){text.data + plain, text.size - plain});
}

void postgres_copy_end(struct buffer *out)
{
    buffer_put(out, '\n', 1);
}

static enum status not_copied(const char *why, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "a line of COPY %s", why);
}

/* Undo the escapes of one column into scratch, which has room for it. */
static enum status unescape(struct bytes text, struct buffer *scratch, struct bytes *out,
                            struct error *err)
{
    uint8_t *to = scratch->data + scratch->size;
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t character = text.data[i];

        if (character == '\\') {
            character = ++i < text.size ? meaning_of(text.data[i]) : 0;
            if (character == 0)
                return not_copied("has a backslash that means nothing", err);
        }
        to[size++] = character;
    }
    scratch->size += size;
    *out = (struct bytes){to, size};
    return STATUS_OK;
}

/* Up to the next tab or the end of the line; *escaped: it has a backslash. */
static enum status take_raw(struct bytes *line, struct bytes *out, bool *escaped,
                            struct error *err)
{
    size_t size = 0;

    *escaped = false;
    while (size < line->size && line->data[size] != '\t') {
        uint8_t character = line->data[size++];

        if (character == '\\')
            *escaped = true;
        else if (character == 0 || letter_of(character) != 0)
            return not_copied("has a control character that COPY escapes", err);
    }
    *out = (struct bytes){line->data, size};
    line->data += size;
    line->size -= size;
    return STATUS_OK;
}

enum status postgres_copy_take(struct bytes line, struct bytes *columns, uint32_t count,
                               struct buffer *scratch, struct error *err)
{
    assert(count > 0);
    if (line.size == 0 || line.data[line.size - 1] != '\n')
        return not_copied("has no end", err);
    line.size--;
    buffer_clear(scratch);
    if (buffer_reserve(scratch, line.size) == NULL)
        return buffer_check(scratch, err);
    for (uint32_t i = 0; i < count; i++) {
        bool escaped;
        enum status status = take_raw(&line, &columns[i], &escaped, err);

        if (status == STATUS_OK && bytes_equal(columns[i], bytes_of_text("\\N")))
            columns[i] = (struct bytes){NULL, 0};
        else if (status == STATUS_OK && escaped)
            status = unescape(columns[i], scratch, &columns[i], err);
        if (status != STATUS_OK)
            return status;
        if ((line.size > 0) != (i + 1 < count))
            return not_copied("has another number of columns than the table", err);
        if (line.size > 0) {
            line.data++; /* the tab */
            line.size--;
        }
    }
    return STATUS_OK;
}
