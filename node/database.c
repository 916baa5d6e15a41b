#include "node/database.h"

#include <errno.h>
#include <unistd.h>

enum status database_open(struct database **out, const struct database_url *url,
                          enum database_mode mode, struct error *err)
{
    *out = NULL;
    switch (url->kind) {
    case DATABASE_SQLITE:
        return database_sqlite_open(out, url->path, mode, err);
    case DATABASE_POSTGRES:
        break;
    }
    return database_postgres_open(out, url->text, mode, err);
}

void database_close(struct database *database)
{
    if (database != NULL)
        database->ops->close(database);
}

bool database_is_missing(const struct database_url *url)
{
    return url->path != NULL && access(url->path, F_OK) != 0 && errno == ENOENT;
}
