/* How a database is named: sqlite:PATH, postgresql://… or postgres://… */
#ifndef NODE_DATABASE_URL_H
#define NODE_DATABASE_URL_H

#include "log/error.h"

enum database_kind { DATABASE_SQLITE, DATABASE_POSTGRES };

/* All zeroes names nothing. */
struct database_url {
    enum database_kind kind;
    char *text; /* owned: the URL as it is remembered, a path in it absolute; it has no
                   password */
    char *path; /* owned: absolute; NULL: the database is not a file */
};

/* Read a URL; the file itself may be missing, its directory not. On success the caller
 * releases *out. USAGE: another form, with what to write instead; a password in it.
 * UNAVAILABLE: no such directory. */
MUST_CHECK enum status database_url_read(struct database_url *out, const char *url,
                                         struct error *err);
void database_url_release(struct database_url *url);

/* The absolute path in a URL sqlite:PATH, for what can only be asked of a file. *path is
 * the caller's, for free(). USAGE: also a database of another kind. */
MUST_CHECK enum status database_url_path(const char *url, char **path, struct error *err);

#endif
