/* A file that holds one changeset or patchset, as an application wrote it of a
 * transaction that it has committed. */
#ifndef CAPTURE_CHANGESET_FILE_H
#define CAPTURE_CHANGESET_FILE_H

#include "capture/changeset.h"

#include <stdint.h>

enum { CHANGESET_ID_SIZE = 17 };

struct changeset_file {
    const char *path; /* the caller's */
    uint64_t time_us; /* when it was written last: what is known of the commit's time */
    /* Of content and time, so that a file that is given again is known again: 'C' and
     * BLAKE2b-128 (docs/FORMAT.md, "source position"). */
    uint8_t id[CHANGESET_ID_SIZE];
};

/* Read the file to its end; nothing of it is used before. path must outlive *out.
 * UNAVAILABLE: it can't be read, or is no file. REFUSED: it is cut, or no changeset. */
MUST_CHECK enum status changeset_file_check(struct changeset_file *out, const char *path,
                                            struct error *err);

/* Called for each row, whose values changeset_value() and changeset_before() tell. */
typedef enum status (*changeset_row_cb)(void *data, struct changeset *changeset,
                                        const struct changeset_row *row,
                                        struct error *err);

/* Read a checked file again and visit its rows. REFUSED: it is not the same any more;
 * otherwise as check, or what visit returned. */
MUST_CHECK enum status changeset_file_visit(const struct changeset_file *file,
                                            changeset_row_cb visit, void *data,
                                            struct error *err);

#endif
