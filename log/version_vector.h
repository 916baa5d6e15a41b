/* Version vectors: origin -> highest origin_seq held, always contiguous from 1.
 *
 * Bytes: count varint, then for each origin, ascending: origin 8, seq varint (not 0). */
#ifndef LOG_VERSION_VECTOR_H
#define LOG_VERSION_VECTOR_H

#include "log/buffer.h"

enum { VERSION_VECTOR_ORIGINS_MAX = 65536 };

struct vector_slot {
    uint64_t origin;
    uint64_t seq;
};

struct version_vector {
    struct vector_slot *slots; /* owned; ascending by origin; seq at least 1 */
    size_t count;
    size_t capacity;
};

void version_vector_init(struct version_vector *vector);
void version_vector_release(struct version_vector *vector);

/* 0 for an origin that is not in it. */
uint64_t version_vector_get(const struct version_vector *vector, uint64_t origin);

/* Set exactly (0 removes). origin is not 0. NO_MEMORY. REFUSED: more than
 * VERSION_VECTOR_ORIGINS_MAX (of merge too). On any failure the vector is as it was. */
MUST_CHECK enum status version_vector_set(struct version_vector *vector, uint64_t origin,
                                          uint64_t seq, struct error *err);

/* Raise vector to the maximum of both, slot by slot. */
MUST_CHECK enum status version_vector_merge(struct version_vector *vector,
                                            const struct version_vector *other,
                                            struct error *err);
MUST_CHECK enum status version_vector_copy(struct version_vector *out,
                                           const struct version_vector *from,
                                           struct error *err);

bool version_vector_covers(const struct version_vector *a,
                           const struct version_vector *b);
bool version_vector_equal(const struct version_vector *a, const struct version_vector *b);

/* out (initialised, neither of the others) becomes the slots in which now differs from
 * before, which it covers. */
MUST_CHECK enum status version_vector_delta(struct version_vector *out,
                                            const struct version_vector *before,
                                            const struct version_vector *now,
                                            struct error *err);

void version_vector_put(struct buffer *out, const struct version_vector *vector);

/* out is initialised by the caller and replaced. CORRUPT, NO_MEMORY: *in and out are as
 * they were. */
MUST_CHECK enum status version_vector_take(struct bytes *in, struct version_vector *out,
                                           struct error *err);

/* Check an encoded vector and take it as a view into *in, without memory; look up an
 * origin in such a view (0 when it is not there, as in an empty view). */
bool version_vector_take_view(struct bytes *in, struct bytes *out);
uint64_t version_vector_view_get(struct bytes view, uint64_t origin);

#endif
