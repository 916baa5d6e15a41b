/* How a store comes into being and is opened: format number, identity, secret files. */
#include "log/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The secrets, outside of LMDB so that a copy of the log alone gives nothing away:
 *   node.key   "rowferry-node-key-1:" + 128 hex digits (Ed25519 secret key) + newline
 *   fleet.key  "rowferry-fleet-key-1:" + 64 hex digits + newline */
#define NODE_KEY_PREFIX  "rowferry-node-key-1:"
#define FLEET_KEY_PREFIX "rowferry-fleet-key-1:"

enum { SECRET_LINE_MAX = 256, PATH_SIZE_MAX = 4096 };

static enum status secret_path(const char *folder, const char *name, char *out,
                               struct error *err)
{
    int size = snprintf(out, PATH_SIZE_MAX, "%s/%s", folder, name);

    if (size < 0 || size >= PATH_SIZE_MAX)
        return error_set(err, STATUS_UNAVAILABLE, "%s: path too long", folder);
    return STATUS_OK;
}

static enum status write_secret(const char *folder, const char *name, const char *prefix,
                                const uint8_t *secret, size_t size, struct error *err)
{
    char path[PATH_SIZE_MAX], hex[SECRET_LINE_MAX], line[2 * SECRET_LINE_MAX];
    enum status status = secret_path(folder, name, path, err);
    int length, fd;
    bool good;

    if (status != STATUS_OK)
        return status;
    sodium_bin2hex(hex, sizeof hex, secret, size);
    length = snprintf(line, sizeof line, "%s%s\n", prefix, hex);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(
            err, error_is_no_room(errno) ? STATUS_FULL : STATUS_UNAVAILABLE, path);
    errno = ENOSPC; /* of a write cut short */
    good = length > 0 && write(fd, line, (size_t)length) == length && fsync(fd) == 0;
    if (!good)
        status =
            error_set_errno(err, error_is_no_room(errno) ? STATUS_FULL : STATUS_IO, path);
    close(fd);
    sodium_memzero(hex, sizeof hex);
    sodium_memzero(line, sizeof line);
    return status;
}

static enum status read_secret(const char *folder, const char *name, const char *prefix,
                               uint8_t *secret, size_t size, struct error *err)
{
    char path[PATH_SIZE_MAX], line[2 * SECRET_LINE_MAX] = "";
    enum status status = secret_path(folder, name, path, err);
    size_t prefix_size = strlen(prefix), got = 0;
    const char *end = NULL;
    FILE *file;
    bool good;

    if (status != STATUS_OK)
        return status;
    file = fopen(path, "re");
    if (file == NULL)
        return error_set_errno(err, STATUS_UNAVAILABLE, path);
    good = fgets(line, sizeof line, file) != NULL &&
           strncmp(line, prefix, prefix_size) == 0 &&
           sodium_hex2bin(secret, size, line + prefix_size,
                          strcspn(line + prefix_size, "\n"), NULL, &got, &end) == 0 &&
           got == size;
    (void)fclose(file);
    sodium_memzero(line, sizeof line);
    if (!good)
        return error_set(err, STATUS_UNAVAILABLE, "%s is not a key file of rowferry's",
                         path);
    return STATUS_OK;
}

static enum status put_identity(struct store_txn *txn, const struct identity *identity,
                                struct error *err)
{
    const struct {
        int key;
        uint64_t value;
    } numbers[] = {
        {META_PRIVATE_FORMAT,         STORE_FORMAT            },
        {META_PRIVATE_NODE,           identity->node          },
        {META_PRIVATE_INCARNATION,    identity->incarnation   },
        {META_PRIVATE_KEY_GENERATION, identity->key_generation},
    };
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < sizeof numbers / sizeof *numbers; i++)
        status = meta_put(txn, (enum meta_key)numbers[i].key, numbers[i].value, err);
    if (status == STATUS_OK)
        status = meta_put_bytes(txn, (enum meta_key)META_PRIVATE_NAME,
                                bytes_of_text(identity->name), err);
    if (status == STATUS_OK)
        status = meta_put_bytes(txn, (enum meta_key)META_PRIVATE_FLEET,
                                (struct bytes){identity->fleet, FLEET_ID_SIZE}, err);
    if (status == STATUS_OK) {
        status =
            meta_put_bytes(txn, (enum meta_key)META_PRIVATE_PUBLIC_KEY,
                           (struct bytes){identity->public_key, PUBLIC_KEY_SIZE}, err);
    }
    return status;
}

static enum status get_fixed(struct store_txn *txn, int key, uint8_t *out, size_t size,
                             struct error *err)
{
    struct bytes found;
    enum status status = meta_get_bytes(txn, (enum meta_key)key, &found, err);

    if (status == STATUS_OK && found.size != size)
        status = error_set(err, STATUS_CORRUPT, "meta %d has a wrong size", key);
    if (status == STATUS_OK)
        memcpy(out, found.data, size);
    return status;
}

static enum status get_identity(struct store_txn *txn, struct identity *out,
                                struct error *err)
{
    uint64_t format = 0, generation = 0;
    struct bytes name;
    enum status status = meta_get(txn, (enum meta_key)META_PRIVATE_FORMAT, &format, err);

    if (status != STATUS_OK)
        return status;
    if (format == 0)
        return error_set(err, STATUS_UNAVAILABLE, "this is not a store of rowferry's");
    if (format > STORE_FORMAT) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "the store has format %llu, this rowferry reads up to %d: use a "
                         "newer rowferry",
                         (unsigned long long)format, STORE_FORMAT);
    }
    status = meta_get(txn, (enum meta_key)META_PRIVATE_NODE, &out->node, err);
    if (status == STATUS_OK)
        status = meta_get(txn, (enum meta_key)META_PRIVATE_INCARNATION, &out->incarnation,
                          err);
    if (status == STATUS_OK)
        status =
            meta_get(txn, (enum meta_key)META_PRIVATE_KEY_GENERATION, &generation, err);
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, (enum meta_key)META_PRIVATE_NAME, &name, err);
    if (status == STATUS_OK && name.size > NODE_NAME_MAX)
        status = error_set(err, STATUS_CORRUPT, "the node's name is too long");
    if (status == STATUS_OK) {
        out->key_generation = (uint32_t)generation;
        memcpy(out->name, name.data, name.size);
        out->name[name.size] = '\0';
        status = get_fixed(txn, META_PRIVATE_FLEET, out->fleet, FLEET_ID_SIZE, err);
    }
    if (status == STATUS_OK)
        status = get_fixed(txn, META_PRIVATE_PUBLIC_KEY, out->public_key, PUBLIC_KEY_SIZE,
                           err);
    return status;
}

/* ---- making and opening */

static const char *const made_files[] = {"data.mdb", "lock.mdb", "node.key", "fleet.key"};

static void remove_made(const char *folder, bool made_folder)
{
    char path[PATH_SIZE_MAX];
    struct error ignored;

    for (size_t i = 0; i < sizeof made_files / sizeof *made_files; i++) {
        if (secret_path(folder, made_files[i], path, &ignored) == STATUS_OK)
            (void)unlink(path);
    }
    if (made_folder)
        (void)rmdir(folder);
}

static enum status fill(const char *folder, const struct identity *identity,
                        struct error *err)
{
    struct store *store = NULL;
    struct store_txn *txn = NULL;
    enum status status =
        write_secret(folder, "node.key", NODE_KEY_PREFIX, identity->secret_key,
                     sizeof identity->secret_key, err);

    if (status == STATUS_OK)
        status = write_secret(folder, "fleet.key", FLEET_KEY_PREFIX, identity->fleet_key,
                              sizeof identity->fleet_key, err);
    if (status == STATUS_OK)
        status = store_allocate(&store, folder, STORE_READ_WRITE, true, err);
    if (status != STATUS_OK)
        return status;
    store->settling = true;
    status = store_begin(store, TXN_WRITE, &txn, err);
    if (status == STATUS_OK)
        status = put_identity(txn, identity, err);
    if (status == STATUS_OK) {
        status = store_commit(txn, err);
        txn = NULL;
    }
    store_abort(txn);
    store_close(store);
    return status;
}

static enum status sync_folder(const char *folder, struct error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = STATUS_OK;

    if (fd < 0 || fsync(fd) != 0)
        status = error_set_errno(err, STATUS_IO, folder);
    if (fd >= 0)
        close(fd);
    return status;
}

enum status store_create(const char *folder, const struct identity *identity,
                         struct error *err)
{
    char path[PATH_SIZE_MAX];
    bool made_folder;
    enum status status = secret_path(folder, "data.mdb", path, err);

    assert(identity->node != 0);
    assert(identity->name[0] != '\0');
    if (status != STATUS_OK)
        return status;
    if (access(path, F_OK) == 0)
        return error_set(err, STATUS_REFUSED, "%s: there is a store already", folder);
    made_folder = mkdir(folder, 0700) == 0;
    if (!made_folder && errno != EEXIST)
        return error_set_errno(
            err, error_is_no_room(errno) ? STATUS_FULL : STATUS_UNAVAILABLE, folder);
    status = fill(folder, identity, err);
    if (status == STATUS_OK)
        status = sync_folder(folder, err);
    if (status != STATUS_OK)
        remove_made(folder, made_folder);
    return status;
}

enum status store_open(struct store **out, const char *folder, enum store_mode mode,
                       struct error *err)
{
    char path[PATH_SIZE_MAX];
    struct store *store = NULL;
    struct store_txn *txn = NULL;
    enum status status = secret_path(folder, "data.mdb", path, err);

    *out = NULL;
    if (status != STATUS_OK)
        return status;
    if (access(path, F_OK) != 0) {
        return error_set(
            err, STATUS_UNAVAILABLE,
            "%s: no store there (%s): make one with `rowferry init`, or name it "
            "with --store",
            folder, strerror(errno));
    }
    status = store_allocate(&store, folder, mode, false, err);
    if (status != STATUS_OK)
        return status;
    status = store_begin(store, TXN_READ, &txn, err);
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    status = get_identity(txn, &store->identity, err);
    store_abort(txn);
    if (status == STATUS_OK && !store->has_runs && mode == STORE_READ_WRITE)
        status = store_raise_format(store, err);
    if (status == STATUS_OK) {
        status =
            read_secret(folder, "node.key", NODE_KEY_PREFIX, store->identity.secret_key,
                        sizeof store->identity.secret_key, err);
    }
    if (status == STATUS_OK) {
        status =
            read_secret(folder, "fleet.key", FLEET_KEY_PREFIX, store->identity.fleet_key,
                        sizeof store->identity.fleet_key, err);
    }
    if (status != STATUS_OK) {
        store_close(store);
        return error_wrap(err, status, folder);
    }
    *out = store;
    return STATUS_OK;
}

enum status store_reincarnate(struct store *store, uint64_t incarnation,
                              struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    assert(incarnation != 0);
    if (status == STATUS_OK)
        status = meta_put(txn, (enum meta_key)META_PRIVATE_INCARNATION, incarnation, err);
    if (status == STATUS_OK) {
        status = store_commit(txn, err);
        txn = NULL;
    }
    store_abort(txn);
    if (status == STATUS_OK)
        store->identity.incarnation = incarnation;
    return status;
}
