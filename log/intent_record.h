/* The records of `intent`: bytes to and from what log/intent.h shows. Private to log/. */
#ifndef LOG_INTENT_RECORD_H
#define LOG_INTENT_RECORD_H

#include "log/intent.h"
#include "log/row_record.h"

enum { INTENT_FORMAT = 1, INTENT_ITEM_KEY_MAX = 1 + ROW_LMDB_KEY_MAX };

void intent_encode(struct buffer *out, const struct intent *intent);
MUST_CHECK enum status intent_decode(struct bytes record, struct intent *out,
                                     struct error *err);

void intent_item_encode(struct buffer *out, const struct intent_item *item);
/* Views point into record. */
MUST_CHECK enum status intent_item_decode(struct bytes record, struct intent_item *out,
                                          struct error *err);

/* LMDB keys: of the header, of a row's item. */
struct bytes intent_header_key(void);
struct bytes intent_item_key(uint8_t out[INTENT_ITEM_KEY_MAX], uint32_t table,
                             struct bytes key);

#endif
