#include "node/summary.h"

#include "log/conflicts.h"
#include "log/log_reader.h"
#include "log/peers.h"
#include "log/tables.h"
#include "node/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* ---- the node */

static enum status folder_bytes(const char *folder, uint64_t *sum, struct error *err)
{
    DIR *dir = opendir(folder);
    struct stat found;

    if (dir == NULL)
        return path_failed(err, folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (fstatat(dirfd(dir), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(found.st_mode))
            *sum += (uint64_t)found.st_blocks * 512;
    }
    (void)closedir(dir);
    return STATUS_OK;
}

static enum status count_waiting(struct store_txn *txn, struct summary *out,
                                 struct error *err)
{
    struct log_entry entry;
    enum status status;

    for (uint64_t seq = out->applied + 1; seq <= out->last_seq; seq++) {
        status = log_get(txn, seq, &entry, err);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK)
            return status;
        out->waiting += !entry.local;
    }
    return STATUS_OK;
}

enum status summary_read(struct summary *out, struct store_txn *txn, struct error *err)
{
    struct bytes join = {0};
    enum status status = meta_get(txn, META_LAST_SEQ, &out->last_seq, err);

    out->waiting = 0;
    out->store_bytes = 0;
    if (status == STATUS_OK)
        status = folder_bytes(store_folder(store_of(txn)), &out->store_bytes, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &out->applied, err);
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_JOIN, &join, err);
    out->joining = join.size > 0;
    if (status == STATUS_OK)
        status = count_waiting(txn, out, err);
    if (status == STATUS_OK)
        status = conflict_count(txn, &out->conflicts, err);
    if (status == STATUS_OK)
        status = parked_count(txn, &out->parked, err);
    if (status == STATUS_OK)
        status = quarantine_count(txn, &out->quarantined, err);
    if (status == STATUS_OK)
        status = repair_count(txn, &out->repairs, err);
    return status;
}

/* ---- its peers */

/* The first entry of this log that the peer lacks; last + 1 when it lacks none. */
static enum status first_missing(struct store_txn *txn, const struct version_vector *ours,
                                 const struct version_vector *holds, uint64_t *first,
                                 struct error *err)
{
    uint64_t seq, had;
    enum status status;

    for (size_t i = 0; i < ours->count; i++) {
        had = version_vector_get(holds, ours->slots[i].origin);
        if (had >= ours->slots[i].seq)
            continue;
        status = log_find(txn, ours->slots[i].origin, had + 1, &seq, err);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK)
            return status;
        *first = seq < *first ? seq : *first;
    }
    return STATUS_OK;
}

static enum status measure(struct store_txn *txn, const struct version_vector *holds,
                           struct lag *out, struct error *err)
{
    struct version_vector ours;
    struct log_entry entry;
    uint64_t last = 0, first;
    enum status status = meta_get(txn, META_LAST_SEQ, &last, err);

    version_vector_init(&ours);
    first = last + 1;
    if (status == STATUS_OK)
        status = meta_get_vector(txn, META_VECTOR, &ours, err);
    if (status == STATUS_OK)
        status = first_missing(txn, &ours, holds, &first, err);
    version_vector_release(&ours);
    out->holds = last;
    for (uint64_t seq = first; status == STATUS_OK && seq <= last; seq++) {
        status = log_get(txn, seq, &entry, err);
        if (status == STATUS_NOT_FOUND) {
            status = STATUS_OK;
            continue;
        }
        if (status != STATUS_OK ||
            version_vector_get(holds, entry.header.origin) >= entry.header.origin_seq)
            continue;
        if (out->entries++ == 0)
            out->since_us = entry.arrived_us;
        out->bytes += entry.header.body_size;
    }
    out->holds -= out->entries;
    return status;
}

enum status lag_measure(struct lag *out, struct store_txn *txn, uint64_t peer,
                        struct error *err)
{
    struct peer known;
    enum status status;

    *out = (struct lag){0};
    peer_init(&known);
    status = peers_get(txn, peer, &known, err);
    if (status == STATUS_OK) {
        out->heard = true;
        out->heard_us = known.heard_us;
    }
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = measure(txn, &known.ack.holds, out, err);
    peer_release(&known);
    return status;
}

enum status summary_untaken(struct store_txn *txn, size_t i, const char **name,
                            struct error *err)
{
    struct bytes out = {0};
    enum status status = meta_get_bytes(txn, META_OUT, &out, err);

    if (status != STATUS_OK)
        return status;
    return i < out.size / 4
               ? tables_name(txn, (uint32_t)bytes_get(out.data + 4 * i, 4), name, err)
               : STATUS_NOT_FOUND;
}
