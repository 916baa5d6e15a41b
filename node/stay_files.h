/* The files that a staying node stands on: whether they are others than they were. */
#ifndef NODE_STAY_FILES_H
#define NODE_STAY_FILES_H

#include "log/error.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct file_print {
    bool there;
    dev_t device;
    ino_t inode;
    struct timespec written; /* of what is replaced in place: settings */
    off_t size;
};

struct stay_files {
    struct file_print data; /* the store's */
    struct file_print settings;
    struct file_print database; /* whatever is written into it */
};

/* database: its path; NULL: not known yet. NO_MEMORY. */
MUST_CHECK enum status stay_files_look(struct stay_files *out, const char *store,
                                       const char *database, struct error *err);
bool file_print_same(const struct file_print *a, const struct file_print *b);

#endif
