/* A table definition as bytes. log/definition.h includes this. */
#ifndef LOG_DEFINITION_CODEC_H
#define LOG_DEFINITION_CODEC_H

#include "log/buffer.h"

struct definition;

/* Append the definition's bytes (table above definition_encode in definition_codec.c). */
void definition_encode(struct buffer *out, const struct definition *definition);

/* On success *out is the caller's, to give back with definition_close(). CORRUPT: not
 * exactly one definition, or not a possible table. NO_MEMORY. */
MUST_CHECK enum status definition_decode(struct bytes in, struct definition **out,
                                         struct error *err);

/* Only for what decode gave. NULL is allowed. */
void definition_close(struct definition *definition);

#endif
