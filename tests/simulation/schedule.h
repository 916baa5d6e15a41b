/* A run's operations, made from a seed before it starts. Each carries its own randomness,
 * so that leaving some out does not change the others. */
#ifndef TESTS_SIMULATION_SCHEDULE_H
#define TESTS_SIMULATION_SCHEDULE_H

#include "tests/simulation/oracle.h"

enum { SCHEDULE_OPS_MAX = 72 };

struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);
int random_below(struct random *random, int bound);
bool random_percent(struct random *random, int percent);

enum op_kind {
    OP_WRITE,   /* the application of node a commits a transaction */
    OP_TWIN,    /* the same statement at a and b */
    OP_RETAKE,  /* a inserts anew a row that is parked there */
    OP_CAPTURE, /* a scans */
    OP_PASS,    /* a (scans and) writes a segment for b, which takes it into its log */
    OP_KEEP,    /* a scans and writes a segment that is not delivered yet, or never */
    OP_DELIVER, /* some kept segment reaches a (again) */
    OP_APPLY,   /* a applies */
    OP_SYNC,    /* a visits the shared folder */
    OP_KINDS,
};

struct op {
    enum op_kind kind;
    int a;
    int b;
    uint64_t seed;
    uint32_t pause_us; /* that passes before it */
    bool dropped;      /* left out by the shrinking */
};

struct schedule {
    uint64_t seed;
    int schema;
    int node_count;
    int64_t skews_us[ORACLE_NODES_MAX];
    bool write_ahead; /* the databases are in WAL mode */
    struct op ops[SCHEDULE_OPS_MAX];
    int op_count;
};

void schedule_make(struct schedule *schedule, uint64_t seed);

/* One line that says what an operation does, without its end. */
void schedule_print(const struct schedule *schedule, int number, char *out, size_t size);

/* SQL of a transaction's statements, one after another, each ended by ";\n"; some will
 * fail. */
void schedule_statements(const struct model_schema *schema, uint64_t seed, bool twin,
                         char *out, size_t size);

/* A statement that inserts the row with this key, whatever stands in its way. */
void schedule_insert(const struct model_schema *schema, uint64_t seed, int table, int key,
                     char *out, size_t size);

/* Rows that break no constraint, for the founder to begin with. */
void schedule_base(const struct model_schema *schema, uint64_t seed, char *out,
                   size_t size);

#endif
