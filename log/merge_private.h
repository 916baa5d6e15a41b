/* What merge.c (one change against the row index) and merge_walk.c (against the row's
 * history) share. */
#ifndef LOG_MERGE_PRIVATE_H
#define LOG_MERGE_PRIVATE_H

#include "log/merge.h"

/* A change on its way into the index. */
struct incoming {
    const struct change *change;
    struct version version;
    struct table table;
    bool wins;
    bool recorded; /* it has a conflict record as a loser */
    bool trimmed;  /* the walk came to where the log is cut off */
};

/* A write that is already in the log, as a conflict sees it. */
struct known {
    struct version version;
    struct place place;
    bool live;
    bool began;  /* it began the row's life */
    bool yields; /* see merge_yields() */
    uint64_t definition_origin;
    uint32_t definition;
    struct bytes image;
};

/* Whether the incoming change had seen an earlier one. */
bool merge_has_seen(const struct merge *merge, const struct change *change,
                    const struct version *earlier);

/* Whether it is a row of a node that joined for the fleet's to win: with the version of a
 * base row, and it says which of the fleet's it had not seen. */
bool merge_yields(const struct version *version, const struct change *change);

/* Whether the two have the same content; when not, the smaller gets a conflict record,
 * unless it has one. */
MUST_CHECK enum status merge_compare(struct merge *merge, struct incoming *in,
                                     const struct known *known, bool *same,
                                     struct error *err);

/* Hold the change against each earlier one of the row that it had not seen. *all: there
 * is none. */
MUST_CHECK enum status merge_walk(struct merge *merge, struct incoming *in,
                                  const struct row *winner, const struct notes *notes,
                                  bool *all, struct error *err);

#endif
