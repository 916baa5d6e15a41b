/* Text for people: 80 columns, control characters made visible. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "cli/width.h"
#include "log/definition.h"
#include "log/image.h"

#include <stdio.h>

enum {
    PRINT_COLUMNS = 80,
    SIZE_TEXT_SIZE = 32,
    TIME_TEXT_SIZE = 40,
    SPAN_TEXT_SIZE = 32
};

/* "512 bytes", "5.1 KiB" */
const char *size_text(uint64_t bytes, char out[SIZE_TEXT_SIZE]);

/* "2026-11-23 02:46:08Z"; "before the fleet" for 0, the time of base rows. */
const char *time_text(uint64_t stamp_us, char out[TIME_TEXT_SIZE]);

/* "2026-11-23 03:46:08 +0100": where the reader is. */
const char *time_local(uint64_t stamp_us, char out[TIME_TEXT_SIZE]);

/* "2026-11-23T02:46:08.123456Z" */
const char *time_iso(uint64_t stamp_us, char out[TIME_TEXT_SIZE]);

/* "40 seconds", "5 minutes", "3 hours", "2 days" */
const char *span_text(uint64_t span_us, char out[SPAN_TEXT_SIZE]);

/* Digits in which a real is read back as itself, 15 to 17. */
int real_digits(double real);

/* "s" but for 1 */
const char *plural(uint64_t count);

/* What has no meaning on a terminal, or a bad one, becomes \n, \t, \xNN. */
void print_plain(FILE *out, struct bytes text);

/* What print_plain() prints; the caller frees it. */
char *plain_text(struct bytes text);

/* As SQL would write it; text of more than limit columns: cut, with "…". */
void print_value(FILE *out, const struct value *value, size_t limit);

/* "(3)", "('a', 4)": a canonical key under its table's definition. */
void print_key(FILE *out, struct bytes key, const struct definition *definition);

/* Items one after another, broken before the 80th column. */
struct wrap {
    FILE *out;
    int indent;
    int column; /* where the next one goes; 0: nothing is printed yet */
};
void wrap_item(struct wrap *wrap, const char *item);
void wrap_end(struct wrap *wrap);

/* Words of a text that print_plain() made, in lines before the 80th column; a longer word
 * stays whole. */
void print_words(FILE *out, int indent, const char *text);

/* Say so and end with exit status 3: half of a line is no answer. */
_Noreturn void print_no_memory(void);

#endif
