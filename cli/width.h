/* How many columns of a terminal a text takes: two for most of East Asia's letters and
 * for emoji, none for combining marks. Whatever the environment says, text is UTF-8. */
#ifndef CLI_WIDTH_H
#define CLI_WIDTH_H

#include "log/bytes.h"

#include <stddef.h>
#include <stdio.h>

/* Bytes of the character at the front of text, which is not empty; 0: they are no UTF-8.
 * *width: its columns; a control character, and what is no UTF-8, counts as one. */
size_t character_size(struct bytes text, int *width);

/* Columns of a text that print_plain() made. */
int text_columns(struct bytes text);
size_t text_width(const char *text);

/* Write text, lines that end with a newline each, to out: those that reach beyond the
 * 79th column continue on the next one, indented, broken at a blank where there is one.
 */
void print_folded(FILE *out, struct bytes text);

#endif
