/* rowferry.so: what a host loads.
 *
 * The session extension is not among the functions that a host hands to an extension:
 * the dynamic linker finds them in the shared libsqlite3. In a host with a SQLite of its
 * own inside they would work on another library's structures, so it is refused. */
#include "extension/rowferry_sqlite.h"

#include <dlfcn.h>
#include <sqlite3ext.h>
#include <stddef.h>

/* sqlite3ext.h turns the names into the host's; the linker's own are wanted here. */
#undef sqlite3_create_function_v2
#undef sqlite3_mprintf

__attribute__((visibility("default"))) int
sqlite3_rowferry_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

static const void *object_of(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

static const void *address_of(void (*function)(void))
{
    union {
        void (*function)(void);
        const void *address;
    } same = {function};

    return same.address;
}

int sqlite3_rowferry_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    const void *host = object_of(address_of((void (*)(void))api->create_function_v2));
    const void *linked = object_of(address_of((void (*)(void))sqlite3session_create));
    int rc;

    if (host == NULL || host != linked) {
        *message = api->mprintf("rowferry: this program has a SQLite of its own inside, "
                                "without the session extension that rowferry needs; use "
                                "one that is linked with the system's libsqlite3, or "
                                "leave its changes to rowferry's scan");
        return SQLITE_ERROR;
    }
    rc = rowferry_functions_register(db);
    if (rc != SQLITE_OK && message != NULL)
        *message = api->mprintf("rowferry: %s", api->errmsg(db));
    return rc;
}
