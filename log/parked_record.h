/* What the record of a parked row and an intent's item about one have in common: all of
 * struct parked but its key. Private to log/. */
#ifndef LOG_PARKED_RECORD_H
#define LOG_PARKED_RECORD_H

#include "log/rows.h"

void parked_fields_put(struct buffer *out, const struct parked *parked);

/* Take them from *in; the key is left alone. Views point into *in. False: they do not
 * decode. */
bool parked_fields_take(struct bytes *in, struct parked *out);

#endif
