/* Lines of COPY in text format: columns with a tab between them, NULL as \N. Pure. */
#ifndef ENGINE_POSTGRES_COPY_H
#define ENGINE_POSTGRES_COPY_H

#include "log/buffer.h"

/* Append one column of a line, text without a zero byte (data == NULL: NULL), with a tab
 * before all but the first (column 0); end the line. */
void postgres_copy_put(struct buffer *out, uint32_t column, struct bytes text);
void postgres_copy_end(struct buffer *out);

/* Take a line as COPY TO gives it, its line feed with it, into exactly count columns (at
 * least one); data == NULL is NULL. They are views into line or into scratch, which is
 * overwritten. CORRUPT: another number of columns, or what COPY does not write.
 * NO_MEMORY. */
MUST_CHECK enum status postgres_copy_take(struct bytes line, struct bytes *columns,
                                          uint32_t count, struct buffer *scratch,
                                          struct error *err);

#endif
