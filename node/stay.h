/* A node that stays in step with its targets until it is stopped: what `rowferry run`
 * does, one round after the other. A round looks for what is new in the database, the
 * store and the targets, and does what that asks for; it waits for nothing. When the next
 * one is due is told; who waits until then (node/watch.h) is not this module's affair.
 *
 * Between rounds no lock is held, on the store as on the database: other commands work
 * beside it. A round with nothing new takes no lock and writes nothing.
 *
 * What goes wrong is said once, tried again after a while that grows up to a minute, and
 * said to be over; only what a person must mend first ends it. */
#ifndef NODE_STAY_H
#define NODE_STAY_H

#include "node/node.h"

struct stay;

enum {
    STAY_GAP_MS = 50, /* at least, between two rounds: others get the locks */
};

struct stay_options {
    const char *store;          /* directory */
    const char *const *targets; /* directories; they may be away */
    size_t target_count;
    uint64_t interval_ms; /* between looks when nobody tells of anything new */
    /* All called within a round. */
    node_notice_cb notice; /* a line for a person */
    /* Something moved. target: NULL for what was captured and applied here. */
    void (*moved)(void *data, const char *target, const struct visit_report *report);
    bool (*stopped)(void *data); /* whether to leave the rest of the round; may be NULL */
    void *data;
    const struct progress *progress; /* NULL: nobody watches */
    const struct wall_clock *clock;  /* NULL: the system's */
};

/* options' texts outlive it. USAGE: what can never be a target. REFUSED: another one
 * stays on this store. Else as node_open(). */
MUST_CHECK enum status stay_open(struct stay **out, const struct stay_options *options,
                                 struct error *err);
void stay_close(struct stay *stay);

/* The database's file, until the next round; its place changes when rowferry.ini does. */
const char *stay_database(const struct stay *stay);
uint64_t stay_node(const struct stay *stay);

/* Somebody says that a target may have changed. */
void stay_touch(struct stay *stay, size_t target);

/* One round at now_ms, of a clock that only goes forward. *next_ms: when the next one is
 * due though nobody tells of anything new. A failure is final. REFUSED: the database or
 * the store was restored. UNAVAILABLE: the store is gone. CORRUPT. */
MUST_CHECK enum status stay_round(struct stay *stay, uint64_t now_ms, uint64_t *next_ms,
                                  struct error *err);

/* How long to leave the store to others, and the machine to everybody, after a round that
 * took so long: four times that, within STAY_GAP_MS and the interval. */
uint64_t stay_gap_ms(uint64_t took_ms, uint64_t interval_ms);

#endif
