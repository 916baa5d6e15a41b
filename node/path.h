/* Paths and what the operating system says of them. */
#ifndef NODE_PATH_H
#define NODE_PATH_H

#include "log/error.h"

#include <stdbool.h>

/* Turn errno into a status of ours; the text is "path: reason". */
enum status path_failed(struct error *err, const char *path);

/* The path without slashes at its end, for free(); NULL: out of memory. */
char *path_trimmed(const char *path);

/* The directory that path is in, for free(); NULL: out of memory. */
char *path_parent(const char *path);

/* The text as a word for a shell, in quotes if it needs them; for free(); NULL: out of
 * memory. */
char *path_for_shell(const char *text);

/* Whether it is a directory with something in it. */
bool path_holds_files(const char *folder);

/* Make the entries of a directory durable, or those of the one that path is in. */
MUST_CHECK enum status path_sync(const char *directory, struct error *err);
MUST_CHECK enum status path_sync_parent(const char *path, struct error *err);

#endif
