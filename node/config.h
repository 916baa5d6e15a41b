/* rowferry.ini: what a node's owner may set, one `name = value` a line, and of a table in
 * a section of its own. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "apply/sqlite_target.h"

enum {
    CONFIG_LINE_MAX = 190, /* inih would cut a longer line in silence */
    LOCK_WAIT_US_DEFAULT = 30000000,
};

/* UNSAID: as the fleet's founder has it. */
enum foreign_keys { FOREIGN_KEYS_UNSAID, FOREIGN_KEYS_ON, FOREIGN_KEYS_OFF };

/* Who gives the numbers of AUTOINCREMENT: SQLite as it likes, or each node its own. */
enum ids_mode { IDS_PLAIN, IDS_RANGE };

struct config {
    char *database;           /* URL; NULL: as the store remembers it */
    struct table_rules rules; /* its only: tables */
    enum foreign_keys foreign_keys;
    enum trigger_mode triggers;
    enum ids_mode ids;
    char *slot;        /* Postgres: its administrator's; NULL: one of our own */
    char *publication; /* the same */
    uint64_t batch; /* changes that one transaction of apply takes; 0: as it sees fit */
    uint64_t max_skew_us;
    uint64_t lock_wait_us; /* for another process that works on the store */
};

/* The defaults. */
void config_init(struct config *config);
void config_release(struct config *config);

/* The mode that a word says. false: none. */
bool config_ids(const char *word, enum ids_mode *out);

/* Read folder/rowferry.ini into config (initialised); a missing file leaves the defaults.
 * UNAVAILABLE: unreadable, a line too long, an unknown name or value, with its line. */
MUST_CHECK enum status config_read(struct config *config, const char *folder,
                                   struct error *err);
/* The same for a file of any name, which must be there. */
MUST_CHECK enum status config_read_file(struct config *config, const char *path,
                                        struct error *err);

/* Whether both name the same tables, in the same ways, and the same slot and publication.
 */
bool config_captures_same(const struct config *a, const struct config *b);

/* Write folder/rowferry.ini with comments; durable on return. A database whose URL does
 * not survive such a line is left out: the store remembers it. USAGE: tables do not
 * survive it. */
MUST_CHECK enum status config_write(const struct config *config, const char *folder,
                                    struct error *err);

#endif
