/* Segments as files and pipes: export and import. */
#include "node/node_private.h"

#include "log/log_reader.h"
#include "log/peers.h"
#include "log/segment.h"
#include "node/members.h"
#include "node/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- from where to export */

/* The vector of the entries up to local seq: what the log has, less what came later. */
static enum status vector_at(struct store_txn *txn, uint64_t seq,
                             struct version_vector *vector, struct error *err)
{
    struct version_vector whole;
    struct log_entry entry;
    uint64_t last = 0, origin, had;
    enum status status = meta_get(txn, META_LAST_SEQ, &last, err);

    version_vector_init(&whole);
    if (status == STATUS_OK)
        status = meta_get_vector(txn, META_VECTOR, &whole, err);
    if (status == STATUS_OK)
        status = version_vector_copy(vector, &whole, err);
    for (uint64_t at = seq; status == STATUS_OK && at < last; at++) {
        status = log_get(txn, at + 1, &entry, err);
        if (status != STATUS_OK)
            break;
        origin = entry.header.origin;
        had = entry.header.origin_seq - 1;
        if (version_vector_get(vector, origin) > had)
            status = version_vector_set(vector, origin, had, err);
    }
    version_vector_release(&whole);
    return status;
}

/* What a peer has told of itself; nothing heard yet is nothing held. */
static enum status vector_of_peer(struct store_txn *txn, const char *name,
                                  struct version_vector *vector, struct error *err)
{
    struct members members;
    struct peer peer;
    uint64_t node = 0;
    enum status status = members_read(&members, txn, err);

    if (status == STATUS_OK)
        status = members_find(&members, "--since", name, &node, err);
    members_release(&members);
    if (status != STATUS_OK)
        return status;
    peer_init(&peer);
    status = peers_get(txn, node, &peer, err);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    else if (status == STATUS_OK)
        status = version_vector_copy(vector, &peer.ack.holds, err);
    peer_release(&peer);
    return status;
}

static enum status find_since(struct node *node, const char *since,
                              struct version_vector *vector, struct error *err)
{
    struct store_txn *txn = NULL;
    size_t digits = strspn(since, "0123456789");
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status != STATUS_OK)
        return status;
    if (digits > 0 && digits < NODE_ID_TEXT_SIZE - 1 && since[digits] == '\0')
        status = vector_at(txn, strtoull(since, NULL, 10), vector, err);
    else
        status = vector_of_peer(txn, since, vector, err);
    store_abort(txn);
    return status;
}

/* ---- export */

/* By a temporary name beside it, so that nobody reads half of a segment. */
static enum status export_to_file(struct node *node, const char *path,
                                  const struct version_vector *from,
                                  struct version_vector *to,
                                  struct segment_counts *counts, struct error *err)
{
    char *temporary = NULL;
    FILE *file = NULL;
    enum status status;

    if (asprintf(&temporary, "%s.part%ld", path, (long)getpid()) < 0)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
    file = fopen(temporary, "wxe");
    if (file == NULL) {
        status = path_failed(err, path);
        free(temporary);
        return status;
    }
    status = segment_write(node->store, from, 0, file, to, counts, err);
    if (status == STATUS_OK && (fflush(file) != 0 || fsync(fileno(file)) != 0))
        status = path_failed(err, path);
    if (fclose(file) != 0 && status == STATUS_OK)
        status = path_failed(err, path);
    if (status == STATUS_OK && counts->entries > 0 && rename(temporary, path) != 0)
        status = path_failed(err, path);
    else if (status == STATUS_OK && counts->entries > 0)
        status = path_sync_parent(path, err);
    if (status != STATUS_OK || counts->entries == 0)
        (void)unlink(temporary);
    free(temporary);
    return status;
}

static enum status export_to_stream(struct node *node, const char *path,
                                    const struct version_vector *from,
                                    struct version_vector *to,
                                    struct segment_counts *counts, struct error *err)
{
    bool piped = strcmp(path, "-") == 0;
    FILE *file = piped ? stdout : fopen(path, "we");
    enum status status;

    if (file == NULL)
        return path_failed(err, path);
    status = segment_write(node->store, from, 0, file, to, counts, err);
    if (status == STATUS_OK && fflush(file) != 0)
        status = path_failed(err, piped ? "standard output" : path);
    if (!piped && fclose(file) != 0 && status == STATUS_OK)
        status = path_failed(err, path);
    return status;
}

enum status node_export(struct node *node, const char *path, const char *since,
                        struct segment_counts *counts, struct error *err)
{
    struct version_vector from, to;
    struct stat found;
    bool stream = strcmp(path, "-") == 0;
    enum status status = STATUS_OK;

    *counts = (struct segment_counts){0};
    version_vector_init(&from);
    version_vector_init(&to);
    if (!stream && stat(path, &found) == 0) {
        if (S_ISDIR(found.st_mode))
            status = error_set(err, STATUS_USAGE,
                               "%s: a directory; name a file in it, or use sync", path);
        stream = !S_ISREG(found.st_mode);
    }
    if (status == STATUS_OK && since != NULL)
        status = find_since(node, since, &from, err);
    if (status == STATUS_OK)
        status = segment_sign_head(node->store, err);
    if (status == STATUS_OK && stream)
        status = export_to_stream(node, path, &from, &to, counts, err);
    else if (status == STATUS_OK)
        status = export_to_file(node, path, &from, &to, counts, err);
    version_vector_release(&from);
    version_vector_release(&to);
    return status;
}

/* ---- import */

/* In the store, where there is room for what the segment holds, or wherever files go that
 * have no name. */
static FILE *open_spool(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? tmpfile() : fdopen(fd, "w+");

    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

/* A segment is read twice: what cannot be rewound is kept in a file without a name. */
static enum status spool(struct node *node, FILE *in, const char *name, FILE **out,
                         struct error *err)
{
    char part[1 << 16];
    FILE *file = open_spool(store_folder(node->store));
    size_t size;
    enum status status = STATUS_OK;

    *out = NULL;
    if (file == NULL)
        return path_failed(err, "temporary file");
    errno = 0;
    while ((size = fread(part, 1, sizeof part, in)) > 0 && status == STATUS_OK) {
        if (fwrite(part, 1, size, file) != size)
            status = path_failed(err, "temporary file");
    }
    if (status == STATUS_OK && ferror(in))
        status = path_failed(err, name);
    if (status == STATUS_OK && fflush(file) != 0)
        status = path_failed(err, "temporary file");
    if (status != STATUS_OK) {
        (void)fclose(file);
        return status;
    }
    rewind(file);
    *out = file;
    return STATUS_OK;
}

static bool is_empty(FILE *file)
{
    struct stat found;

    return fstat(fileno(file), &found) == 0 && found.st_size == 0;
}

static enum status import_file(struct node *node, FILE *file, const char *name,
                               struct segment_counts *counts, struct error *err)
{
    struct segment_counts taken = {0};
    enum status status = store_lock(node->store, LOCK_IMPORT, err);

    if (status != STATUS_OK)
        return status;
    status = segment_import(node->store, file, name, &taken, err);
    node_add_segments(counts, &taken);
    store_unlock(node->store, LOCK_IMPORT);
    return status == STATUS_CORRUPT ? STATUS_REFUSED : status;
}

enum status node_import(struct node *node, const char *path,
                        struct segment_counts *counts, struct error *err)
{
    bool piped = strcmp(path, "-") == 0;
    const char *name = piped ? "standard input" : path;
    FILE *file = piped ? stdin : fopen(path, "re"), *spooled = NULL;
    struct stat found;
    enum status status = STATUS_OK;

    if (file == NULL)
        return path_failed(err, path);
    if (!piped && fstat(fileno(file), &found) == 0 && S_ISDIR(found.st_mode))
        status = error_set(err, STATUS_USAGE, "%s: a directory; that is what sync takes",
                           path);
    if (status == STATUS_OK && fseeko(file, 0, SEEK_CUR) != 0)
        status = spool(node, file, name, &spooled, err);
    if (status == STATUS_OK && !(piped && is_empty(spooled != NULL ? spooled : file)))
        status = import_file(node, spooled != NULL ? spooled : file, name, counts, err);
    if (spooled != NULL)
        (void)fclose(spooled);
    if (!piped)
        (void)fclose(file);
    return status;
}
