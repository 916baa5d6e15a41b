/* A transport: a place where nodes meet. A new road is one of these. */
#ifndef SHIP_TRANSPORT_H
#define SHIP_TRANSPORT_H

#include "log/segment.h"

struct transport {
    const struct transport_ops *ops;
};

struct visit_counts {
    struct segment_counts sent;
    struct segment_counts received;
    uint64_t segments_opened; /* bodies; 0 when nothing was new */
    uint64_t unready; /* files not whole yet, or waiting for others: with a line each */
};

struct transport_ops {
    /* Take in what the other side has and this store lacks. Blocks. The caller holds
     * LOCK_IMPORT. notice is called with one line for each thing that a person should
     * know and that did not stop the visit. A file that is refused does not keep the
     * others out: the first refusal is returned after all were tried. */
    enum status (*receive)(struct transport *transport, struct visit_counts *counts,
                           void (*notice)(void *data, const char *line), void *data,
                           struct error *err);

    /* Hand over what this store has and the other side lacks, and say what this node
     * holds. Writes nothing when there is nothing new. */
    enum status (*send)(struct transport *transport, struct visit_counts *counts,
                        struct error *err);
    void (*close)(struct transport *transport);
};

#endif
