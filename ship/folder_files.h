/* The files of a folder: their names, and how they are read and durably written.
 *
 *   <node, 16 hex digits>-<number, 8 digits or more>.rfseg   a segment, never changed
 *   <node, 16 hex digits>.rfstate                            a state file, replaced whole
 *   .<one of these names>.tmp                                being written by that node
 *
 * Everything else in the folder is somebody else's and left alone. */
#ifndef SHIP_FOLDER_FILES_H
#define SHIP_FOLDER_FILES_H

#include "log/buffer.h"

#include <stdio.h>

enum folder_kind { FOLDER_SEGMENT, FOLDER_STATE, FOLDER_TEMPORARY };

enum { FOLDER_NAME_SIZE = 64 };

struct folder_name {
    enum folder_kind kind;
    uint64_t node;
    uint64_t number; /* of a segment */
};

void folder_segment_name(uint64_t node, uint64_t number, char out[FOLDER_NAME_SIZE]);
void folder_state_name(uint64_t node, char out[FOLDER_NAME_SIZE]);

/* False: not one of ours. */
bool folder_name_read(const char *text, struct folder_name *out);

/* Turn an errno about a file into a status, with one line. path: of the folder. */
enum status folder_failed(struct error *err, int code, const char *what, const char *path,
                          const char *name);

/* Call visit for each file of ours; size is the file's (0 for what cannot be looked at).
 */
typedef enum status (*folder_file_cb)(void *data, const char *text,
                                      const struct folder_name *name, uint64_t size,
                                      struct error *err);
MUST_CHECK enum status folder_list(int directory, const char *path, folder_file_cb visit,
                                   void *data, struct error *err);

/* Open for reading; the caller closes it. NOT_FOUND is a plain answer. UNAVAILABLE, IO.
 */
MUST_CHECK enum status folder_open_file(int directory, const char *path, const char *name,
                                        FILE **out, struct error *err);

/* Read a whole file into out (cleared first). NOT_FOUND is a plain answer. REFUSED:
 * larger than size_max. */
MUST_CHECK enum status folder_read_file(int directory, const char *path, const char *name,
                                        size_t size_max, struct buffer *out,
                                        struct error *err);

/* A file being written under its temporary name. */
struct folder_draft {
    int directory;
    const char *path;
    FILE *file; /* NULL when there is none */
    char name[FOLDER_NAME_SIZE];
    char temporary[FOLDER_NAME_SIZE];
};

/* UNAVAILABLE: the folder cannot be written; nothing was changed. */
MUST_CHECK enum status folder_draft_start(struct folder_draft *draft, int directory,
                                          const char *path, const char *name,
                                          struct error *err);

/* Bring it to the disk, still under its temporary name. FULL, IO: drop it. */
MUST_CHECK enum status folder_draft_sync(struct folder_draft *draft, struct error *err);

/* After sync: give it its name, durably. On failure it is dropped. */
MUST_CHECK enum status folder_draft_publish(struct folder_draft *draft,
                                            struct error *err);

/* Remove it; after publish, or without a start, nothing. */
void folder_draft_drop(struct folder_draft *draft);

#endif
