/* How a database is named: sqlite:PATH, and later postgresql://… */
#ifndef NODE_DATABASE_URL_H
#define NODE_DATABASE_URL_H

#include "log/error.h"

/* The absolute path in a URL sqlite:PATH; the file itself may be missing, its directory
 * not. *path is the caller's, for free(). USAGE: another form, with what to write
 * instead. UNAVAILABLE: no such directory. */
MUST_CHECK enum status database_url_path(const char *url, char **path, struct error *err);

#endif
