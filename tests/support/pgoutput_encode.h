/* The other way round: a message as pgoutput would send it. */
#ifndef TESTS_SUPPORT_PGOUTPUT_ENCODE_H
#define TESTS_SUPPORT_PGOUTPUT_ENCODE_H

#include "capture/pgoutput.h"
#include "log/buffer.h"

void pgoutput_encode(struct buffer *out, const struct pgoutput_message *message);

/* Append what a text of pairs of hexadecimal digits says; blanks between them. */
void hex_put(struct buffer *out, const char *hex);

#endif
