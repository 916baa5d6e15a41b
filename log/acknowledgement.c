#include "log/acknowledgement.h"

#include "log/segment.h"
#include "log/signing.h"

#include <assert.h>
#include <string.h>

enum { ACKNOWLEDGEMENT_FORMAT = 1 };

void acknowledgement_init(struct acknowledgement *ack)
{
    *ack = (struct acknowledgement){0};
}

void acknowledgement_release(struct acknowledgement *ack)
{
    version_vector_release(&ack->context);
    version_vector_release(&ack->holds);
    acknowledgement_init(ack);
}

enum status acknowledgement_copy(struct acknowledgement *out,
                                 const struct acknowledgement *from, struct error *err)
{
    enum status status = version_vector_copy(&out->context, &from->context, err);

    if (status == STATUS_OK)
        status = version_vector_copy(&out->holds, &from->holds, err);
    if (status != STATUS_OK)
        return status;
    out->node = from->node;
    out->last_own_seq = from->last_own_seq;
    out->formats_max = from->formats_max;
    memcpy(out->signature, from->signature, SIGNATURE_SIZE);
    return STATUS_OK;
}

/* An acknowledgement's bytes. What is signed is all but the signature.
 *
 *  offset  size    field
 *       0  1       format        1
 *       1  1       formats_max   newest entry and segment format it reads, at least 1
 *       2  8       node          at least 1
 *      10  varint  last_own_seq  the same as holds says
 *     ...  vector  context       at its capture position; covered by holds
 *     ...  vector  holds
 *     ...  64      signature     Ed25519 (signing.h)
 */
static void put_content(struct buffer *out, const struct acknowledgement *ack)
{
    assert(ack->node != 0);
    assert(ack->formats_max > 0);
    assert(ack->last_own_seq == version_vector_get(&ack->holds, ack->node));
    assert(version_vector_covers(&ack->holds, &ack->context));
    buffer_put(out, ACKNOWLEDGEMENT_FORMAT, 1);
    buffer_put(out, ack->formats_max, 1);
    buffer_put(out, ack->node, 8);
    buffer_put_varint(out, ack->last_own_seq);
    version_vector_put(out, &ack->context);
    version_vector_put(out, &ack->holds);
}

void acknowledgement_put(struct buffer *out, const struct acknowledgement *ack)
{
    put_content(out, ack);
    buffer_put_bytes(out, (struct bytes){ack->signature, SIGNATURE_SIZE});
}

enum status acknowledgement_take(struct bytes *in, struct acknowledgement *out,
                                 struct error *err)
{
    struct bytes rest = *in;
    struct bytes signature;
    uint64_t format;
    uint64_t formats_max;
    enum status status;

    if (!bytes_take(&rest, 1, &format) || !bytes_take(&rest, 1, &formats_max) ||
        !bytes_take(&rest, 8, &out->node) ||
        !bytes_take_varint(&rest, &out->last_own_seq))
        return error_set(err, STATUS_CORRUPT, "an acknowledgement is cut");
    if (format != ACKNOWLEDGEMENT_FORMAT || formats_max == 0 || out->node == 0)
        return error_set(err, STATUS_CORRUPT, "an acknowledgement does not decode");
    out->formats_max = (uint8_t)formats_max;
    status = version_vector_take(&rest, &out->context, err);
    if (status == STATUS_OK)
        status = version_vector_take(&rest, &out->holds, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, "an acknowledgement");
    if (out->last_own_seq != version_vector_get(&out->holds, out->node) ||
        !version_vector_covers(&out->holds, &out->context))
        return error_set(err, STATUS_CORRUPT, "an acknowledgement contradicts itself");
    if (!bytes_take_view(&rest, SIGNATURE_SIZE, &signature))
        return error_set(err, STATUS_CORRUPT, "an acknowledgement has no signature");
    memcpy(out->signature, signature.data, SIGNATURE_SIZE);
    *in = rest;
    return STATUS_OK;
}

enum status acknowledgement_make(struct store_txn *txn, struct acknowledgement *out,
                                 struct error *err)
{
    const struct identity *identity = store_identity(store_of(txn));
    struct buffer content = {0};
    uint64_t own;
    enum status status = meta_get_vector(txn, META_VECTOR, &out->holds, err);

    if (status == STATUS_OK)
        status = meta_get_vector(txn, META_APPLIED_VECTOR, &out->context, err);
    if (status != STATUS_OK)
        return status;
    /* Capture has laid its own entries over what it had applied. */
    own = version_vector_get(&out->holds, identity->node);
    status = version_vector_set(&out->context, identity->node, own, err);
    if (status != STATUS_OK)
        return status;
    out->node = identity->node;
    out->last_own_seq = own;
    out->formats_max = SEGMENT_FORMAT;
    put_content(&content, out);
    status = buffer_check(&content, err);
    if (status == STATUS_OK)
        signing_acknowledgement(out->signature, identity, buffer_view(&content));
    buffer_release(&content);
    return status;
}

enum status acknowledgement_check(const struct acknowledgement *ack,
                                  const uint8_t fleet[FLEET_ID_SIZE],
                                  const uint8_t public_key[PUBLIC_KEY_SIZE], bool *right,
                                  struct error *err)
{
    struct buffer content = {0};
    enum status status;

    put_content(&content, ack);
    status = buffer_check(&content, err);
    if (status == STATUS_OK)
        *right = signing_acknowledgement_is_right(ack->signature, fleet, public_key,
                                                  buffer_view(&content));
    buffer_release(&content);
    return status;
}

/* What a node holds and has applied only ever grows, so the larger one is the later one;
 * of two that do not compare (a store came back from a backup) the kept one stays. */
bool acknowledgement_is_newer(const struct acknowledgement *a,
                              const struct acknowledgement *b)
{
    if (!version_vector_covers(&a->holds, &b->holds) ||
        !version_vector_covers(&a->context, &b->context))
        return false;
    return a->formats_max != b->formats_max ||
           !version_vector_equal(&a->holds, &b->holds) ||
           !version_vector_equal(&a->context, &b->context);
}
