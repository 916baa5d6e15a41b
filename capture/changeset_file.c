#include "capture/changeset_file.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE_SIZE = 1 << 16, DIGEST_SIZE = CHANGESET_ID_SIZE - 1 };

/* One walk through a file. */
struct reading {
    const char *path;
    FILE *stream;
    uint64_t time_us;
    crypto_generichash_state digest;
    uint8_t piece[PIECE_SIZE];
};

static enum status unreadable(const char *path, struct error *err)
{
    return error_set(err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
}

static enum status next_piece(void *data, struct bytes *piece, struct error *err)
{
    struct reading *reading = data;
    size_t size = fread(reading->piece, 1, sizeof reading->piece, reading->stream);

    if (size == 0 && ferror(reading->stream) != 0)
        return unreadable(reading->path, err);
    (void)crypto_generichash_update(&reading->digest, reading->piece, size);
    *piece = (struct bytes){reading->piece, size};
    return STATUS_OK;
}

static enum status open_reading(struct reading *reading, const char *path,
                                struct error *err)
{
    struct stat about;

    reading->path = path;
    reading->stream = fopen(path, "rbe");
    if (reading->stream == NULL || fstat(fileno(reading->stream), &about) != 0)
        return unreadable(path, err);
    if (!S_ISREG(about.st_mode)) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s: not a file: give one, whose time says when it was "
                         "committed",
                         path);
    }
    if (about.st_mtim.tv_sec > 0)
        reading->time_us = (uint64_t)about.st_mtim.tv_sec * 1000000 +
                           (uint64_t)about.st_mtim.tv_nsec / 1000;
    (void)crypto_generichash_init(&reading->digest, NULL, 0, DIGEST_SIZE);
    return STATUS_OK;
}

static void finish_id(struct reading *reading, uint8_t id[CHANGESET_ID_SIZE])
{
    uint8_t time[8];

    (void)bytes_put(time, reading->time_us, sizeof time);
    (void)crypto_generichash_update(&reading->digest, time, sizeof time);
    id[0] = 'C';
    (void)crypto_generichash_final(&reading->digest, id + 1, DIGEST_SIZE);
}

static enum status next_row(const struct reading *reading, struct changeset *changeset,
                            struct changeset_row *row, struct error *err)
{
    enum status status = changeset_next(changeset, row, err);

    if (status != STATUS_CORRUPT)
        return status;
    return error_set(err, STATUS_REFUSED,
                     "%s: cut, or not a changeset or patchset: hand over the whole file; "
                     "nothing of it was logged",
                     reading->path);
}

static enum status walk(struct reading *reading, changeset_row_cb visit, void *data,
                        struct error *err)
{
    struct changeset *changeset = NULL;
    struct changeset_row row;
    enum status status = changeset_open(&changeset, next_piece, reading, err);

    while (status == STATUS_OK) {
        status = next_row(reading, changeset, &row, err);
        if (status == STATUS_OK && visit != NULL)
            status = visit(data, changeset, &row, err);
    }
    changeset_close(changeset);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_through(struct changeset_file *file, changeset_row_cb visit,
                                void *data, struct error *err)
{
    struct reading *reading = calloc(1, sizeof *reading);
    enum status status;

    if (reading == NULL)
        return error_set(err, STATUS_NO_MEMORY, "changeset: out of memory");
    status = open_reading(reading, file->path, err);
    if (status == STATUS_OK)
        status = walk(reading, visit, data, err);
    if (status == STATUS_OK) {
        file->time_us = reading->time_us;
        finish_id(reading, file->id);
    }
    if (reading->stream != NULL)
        (void)fclose(reading->stream);
    free(reading);
    return status;
}

enum status changeset_file_check(struct changeset_file *out, const char *path,
                                 struct error *err)
{
    *out = (struct changeset_file){.path = path};
    return read_through(out, NULL, NULL, err);
}

enum status changeset_file_visit(const struct changeset_file *file,
                                 changeset_row_cb visit, void *data, struct error *err)
{
    struct changeset_file again = {.path = file->path};
    enum status status = read_through(&again, visit, data, err);

    if (status == STATUS_OK && memcmp(again.id, file->id, sizeof file->id) != 0)
        return error_set(err, STATUS_REFUSED, "%s: changed while it was read",
                         file->path);
    return status;
}
