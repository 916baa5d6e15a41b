/* What every decoder owes: it refuses cut and wrong bytes, and what it accepts it accepts
 * in one form only. */
#ifndef TESTS_SUPPORT_RECODE_H
#define TESTS_SUPPORT_RECODE_H

#include "log/buffer.h"

/* Decode all of in and append its encoding to out. Any failure but NO_MEMORY is a
 * refusal. */
typedef enum status (*recode_cb)(struct bytes in, struct buffer *out, struct error *err);

/* Expect of recode: golden gives golden; each prefix of it, and golden and one byte more,
 * are refused; golden with any one byte replaced is refused or gives itself. */
void recode_expect_canonical(struct bytes golden, recode_cb recode);

#endif
