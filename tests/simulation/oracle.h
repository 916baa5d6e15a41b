/* What the nodes must come to: computed from the writes that the test made and from what
 * each database had received, by plain maxima over everything, never from a node's log.
 */
#ifndef TESTS_SIMULATION_ORACLE_H
#define TESTS_SIMULATION_ORACLE_H

#include "tests/simulation/model_shown.h"

enum { ORACLE_NODES_MAX = 5, ORACLE_CHANGES_MAX = MODEL_TABLES_MAX * MODEL_KEYS };

/* origin_seq of each node's newest entry, by the node's number here. */
struct oracle_vector {
    uint64_t of[ORACLE_NODES_MAX];
};

struct oracle_change {
    int table;
    int key; /* from 0 */
    struct model_row row;
    bool has_unseen;
    int unseen_node;
    uint64_t unseen_seq;
};

struct oracle_entry {
    int node;
    uint64_t seq;
    uint64_t stamp_us;
    struct oracle_vector
        context; /* what the node's database had taken, itself included */
    struct oracle_change changes[ORACLE_CHANGES_MAX];
    int change_count;
};

struct oracle_node {
    uint64_t id;
    struct oracle_vector holds;   /* in its log */
    struct oracle_vector applied; /* in its database */
    uint64_t clock_us;
    struct model_rows held; /* what the database held at the last capture or apply */
    struct model_fates fates;
    bool parked[MODEL_TABLES_MAX][MODEL_KEYS];
};

/* How often the runs met what they are to meet. */
#define TALLY_MAP(X)                            \
    X(entries, "entries")                       \
    X(conflicts, "conflicts")                   \
    X(parked, "parked")                         \
    X(evicted, "evicted")                       \
    X(released, "released")                     \
    X(parent_parked, "parent-parked")           \
    X(overlays, "overlay on a held image")      \
    X(absorbed, "absorbed equal")               \
    X(on_parked, "local write on a parked key") \
    X(pending, "import pending at capture")     \
    X(repeated, "segment repeated")             \
    X(delayed, "segment delayed")               \
    X(lost, "segment lost")                     \
    X(early, "segment refused, something missing before it")

struct tally {
#define TALLY_FIELD(name, text) uint64_t name;
    TALLY_MAP(TALLY_FIELD)
#undef TALLY_FIELD
};

struct oracle {
    const struct model_schema *schema;
    struct oracle_node nodes[ORACLE_NODES_MAX];
    int node_count;
    struct oracle_entry *entries; /* owned */
    size_t entry_count;
    size_t entry_capacity;
    struct tally *tally;
};

/* Set schema, node_count, the nodes' ids, vectors and clocks by hand after init. */
void oracle_init(struct oracle *oracle, const struct model_schema *schema, int node_count,
                 struct tally *tally);
void oracle_release(struct oracle *oracle);

/* The founder's base rows, its entry seq: every database has them. rows: live and values.
 */
void oracle_base(struct oracle *oracle, int founder, uint64_t seq,
                 const struct model_rows *rows);

/* Node scans its database, last written at commit_us, which has these rows (live and
 * values). Whether it logs an entry. */
bool oracle_capture(struct oracle *oracle, int node, const struct model_rows *rows,
                    uint64_t commit_us);

/* Node takes a segment into its log. False: it lacks something before it, and takes
 * nothing. */
bool oracle_receive(struct oracle *oracle, int node, const struct oracle_vector *from,
                    const struct oracle_vector *to);

/* Node applies all of its log: what its database holds after it stands in its held. */
void oracle_apply(struct oracle *oracle, int node);

/* The row index that belongs to a vector. */
void oracle_index(const struct oracle *oracle, const struct oracle_vector *holds,
                  struct model_rows *out);

/* Whether this change lost to a concurrent one that the vector covers too. */
bool oracle_is_loser(const struct oracle *oracle, const struct oracle_vector *holds,
                     const struct oracle_entry *entry,
                     const struct oracle_change *change);

/* All nodes hold everything: count conflicts and absorbed writes into the tally. */
void oracle_finish(struct oracle *oracle);

bool oracle_vector_covers(const struct oracle_vector *a, const struct oracle_vector *b);

#endif
