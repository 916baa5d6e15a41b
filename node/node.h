/* A whole node: one database, its store, and what can be done with both. Every command of
 * the command line is one call here; nothing here prints.
 *
 * Calls block, on one thread. Each takes the store's locks that it needs and gives them
 * back; REFUSED from any: another process has one of them (its pid is named). */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "apply/target.h"
#include "capture/source.h"
#include "engine/catalog.h"
#include "engine/findings.h"
#include "node/diff.h"
#include "ship/transport.h"

struct node;

typedef void (*node_notice_cb)(void *data, const char *line);

/* Whose rows are to be shown where those that a joining database has are not as the
 * fleet's. */
enum join_prefer {
    PREFER_NEITHER, /* the first sync is refused */
    PREFER_FLEET,   /* its own become conflicts */
    PREFER_LOCAL,   /* its own become new writes */
};

struct init_options {
    const char *database;           /* its URL */
    const char *store;              /* directory to make */
    const char *name;               /* NULL: the host's name */
    const char *tables;             /* comma-separated; NULL: all */
    const char *slot, *publication; /* of a Postgres database's administrator; NULL: as
                                       settings have it, else made by the node */
    const char *ids;                /* "range", "plain"; NULL: as settings have it */
    const char *settings; /* a file as rowferry.ini, to begin with; NULL: none */
    const char *join;   /* token file, "-" for standard input; NULL: found a new fleet */
    bool create_tables; /* with join: make the founder's tables, and a missing file */
    enum join_prefer prefer; /* remembered until the first sync */
    const char *from; /* checked: what the caller syncs with at once; NULL: nothing */
    bool check;       /* say what would be, change nothing; refusals are findings */
    bool take_over;   /* the database's rowferry_state may name another store */
    const struct wall_clock *clock;  /* NULL: the system's */
    const struct progress *progress; /* who watches; NULL: nobody */
    node_notice_cb notice;           /* may be NULL */
    void *notice_data;
};

/* What settings say of a table. */
struct init_rule {
    enum table_direction direction;
    bool key;         /* its key's columns are named */
    bool named;       /* to the fleet it is another table's name than to the database */
    bool numbers;     /* no rule: SQLite numbers its rows, as it does on other nodes */
    bool own_numbers; /* no rule: this node's numbers are its own */
};

struct init_report {
    uint64_t node; /* 0 after a check */
    char name[NODE_NAME_MAX + 1];
    uint8_t fleet[FLEET_ID_SIZE];
    uint64_t tables;
    uint64_t rows;
    bool joins; /* the fleet's rows come with the first sync */
    bool again; /* the node was there before: nothing below is said */
    enum join_prefer prefer;
    struct catalog catalog; /* what is replicated and what is not, and why */
    struct outsiders outsiders;
    struct init_rule *rules; /* for catalog's definitions */
    bool *silent; /* catalog's definitions whose triggers stay silent when rows arrive */
    char *broken; /* owned: why foreign keys do not count; NULL: nothing is broken */
    struct findings findings; /* what a server lacks, or brings along */
};
void init_report_release(struct init_report *report);

/* Make a node. With prefer or from also, for the node whose store it is and which has not
 * joined yet: remember what is said of that. On failure neither store nor database is
 * changed; killed in the middle, the same call again succeeds. On success the caller
 * releases report. USAGE: not a database's URL, a bad name. UNAVAILABLE, BUSY: the
 * database. REFUSED: there is a store already, the database belongs to another, not a
 * token. */
MUST_CHECK enum status node_init(const struct init_options *options,
                                 struct init_report *report, struct error *err);

enum node_open_flag {
    NODE_READ_ONLY = 1,     /* neither store nor database will be written */
    NODE_WITH_DATABASE = 2, /* else only the log */
};

/* Open an existing node. REFUSED: the database belongs to another store. */
MUST_CHECK enum status node_open(struct node **out, const char *store, unsigned flags,
                                 struct error *err);
void node_close(struct node *node);
struct store *node_store(struct node *node);
/* NULL: opened without. */
struct database *node_database(struct node *node);
/* The database, where it is one of SQLite's; NULL: it is not, or opened without. */
struct sqlite_database *node_sqlite(struct node *node);
const char *node_database_url(const struct node *node);
/* The replication slot of its database's administrator; NULL: its own. */
const char *node_given_slot(const struct node *node);
bool node_foreign_keys(const struct node *node); /* whether they count here */
void node_on_notice(struct node *node, node_notice_cb notice, void *data);

/* Who watches long work; it must outlive the node. NULL, the default: nobody. */
void node_set_progress(struct node *node, const struct progress *progress);
void node_set_clock(struct node *node, const struct wall_clock *clock,
                    uint64_t max_skew_us);

struct visit_report {
    struct visit_counts visit;
    struct capture_counts captured;
    struct apply_counts applied;
};

/* A node that has yet to join does so in each of these three once it has the fleet's log:
 * REFUSED: it has not; or rows of its tables are not as the fleet has them. */
MUST_CHECK enum status node_capture(struct node *node, struct capture_counts *counts,
                                    struct error *err);
MUST_CHECK enum status node_apply(struct node *node, struct apply_counts *counts,
                                  struct error *err);

/* Log the transactions of the application's own changeset files, which are in the order
 * of their commits; nothing else is captured but what was recorded. See
 * sqlite_scan_changesets(); what is not logged has a notice. */
MUST_CHECK enum status node_capture_changesets(struct node *node,
                                               const char *const *paths, size_t count,
                                               struct capture_counts *counts,
                                               struct error *err);

/* Whether target is one to sync with. USAGE: it can never be. UNAVAILABLE: it is not a
 * directory now. */
MUST_CHECK enum status node_check_target(const char *target, struct error *err);

/* Capture what is new, exchange with target (a directory), apply what came. What one step
 * refuses does not keep the later ones from what they can do; the first failure is
 * returned. */
MUST_CHECK enum status node_sync(struct node *node, const char *target,
                                 struct visit_report *report, struct error *err);

/* Sync with each target in turn until a whole round moves nothing; without targets
 * capture and apply once. */
MUST_CHECK enum status node_run_once(struct node *node, const char *const *targets,
                                     size_t target_count, struct visit_report *report,
                                     struct error *err);

/* Write a segment of the entries after `since` to path ("-": standard output). since: a
 * local seq, a peer's name or id (what it is known to lack), or NULL for all.
 * counts->entries 0: nothing is new, no file was made. NOT_FOUND: no such peer. */
MUST_CHECK enum status node_export(struct node *node, const char *path, const char *since,
                                   struct segment_counts *counts, struct error *err);

/* Take in a segment ("-": standard input, where nothing at all is nothing new). Needs no
 * database. counts are added to. REFUSED: see log/segment.h. */
MUST_CHECK enum status node_import(struct node *node, const char *path,
                                   struct segment_counts *counts, struct error *err);

/* Compare the database, or the SQLite database at path (NULL: its own), with what row
 * index and schema say; see node/diff.h for the rest. While a join is pending: its own
 * database with the fleet's rows that are in the store, as the first sync does. */
MUST_CHECK enum status node_diff(struct node *node, const char *path, diff_row_cb visit,
                                 void *data, struct diff_counts *counts,
                                 struct error *err);

enum resync_prefer { RESYNC_LOG, RESYNC_DATABASE };

/* Bring a restored database and the store together again under a new incarnation: rewrite
 * the database from the row index, or log its differences as new writes and apply what
 * then is to be applied. REFUSED: it is the store that was restored. */
MUST_CHECK enum status node_resync(struct node *node, enum resync_prefer prefer,
                                   struct visit_report *report, struct error *err);

#endif
