/* An LSN: a place in Postgres's write-ahead log, in bytes from its beginning; 0 is none.
 * As text it is two hexadecimal numbers of 32 bits each: 16/B374D848. */
#ifndef ENGINE_LSN_H
#define ENGINE_LSN_H

#include "log/error.h"

#include <stdint.h>

/* With the NUL. */
enum { LSN_TEXT_SIZE = 18 };

struct lsn_text {
    char text[LSN_TEXT_SIZE];
};

/* As Postgres prints it: upper case, no leading zeros. */
struct lsn_text lsn_format(uint64_t lsn);

/* Read what Postgres reads: 1 to 8 digits of either case on both sides, nothing else.
 * CORRUPT: another text, or NULL; the reason names it. */
MUST_CHECK enum status lsn_parse(const char *text, uint64_t *lsn, struct error *err);

#endif
