#include "log/plan.h"

enum status plan_extent(struct store_txn *txn, uint64_t from, uint64_t changes_max,
                        struct plan_extent *out, struct error *err)
{
    uint64_t last;
    enum status status = meta_get(txn, META_LAST_SEQ, &last, err);

    *out = (struct plan_extent){.to = from};
    while (status == STATUS_OK && out->to < last) {
        struct log_entry entry;
        uint64_t more;

        status = log_peek(txn, out->to + 1, &entry, err);
        if (status == STATUS_NOT_FOUND)
            return error_set(err, STATUS_CORRUPT, "entry %llu is missing",
                             (unsigned long long)out->to + 1);
        if (status != STATUS_OK)
            break;
        more = entry.local ? 0 : entry.header.item_count;
        if (out->to > from && more > 0 && out->changes + more > changes_max)
            break;
        out->changes += more;
        out->to++;
        out->local = out->local || (entry.local && entry.header.kind == ENTRY_CHANGES);
        if (entry.header.stamp_us > out->max_stamp_us)
            out->max_stamp_us = entry.header.stamp_us;
    }
    return status;
}
