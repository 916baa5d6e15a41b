/* What a member who has the fleet's key and does not keep to the rules can get past the
 * importer: nothing. */
#include "tests/support/segment_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(segment_forged, .init = segment_set_up, .fini = segment_tear_down);

/* ---- forged by a member */

Test(segment_forged, with_records_out_of_place)
{
    static const struct {
        const char *when;
        size_t nth;
        size_t other_nth;
        enum segment_record_type type;
        enum segment_record_type other;
        const char *says;
    } cases[] = {
        {"two entries swapped",     0, 1, RECORD_ENTRY, RECORD_ENTRY, "not the next"   },
        {"two bodies swapped",      0, 1, RECORD_BODY,  RECORD_BODY,  "entry 1 of node"},
        {"a body before its entry", 1, 1, RECORD_ENTRY, RECORD_BODY,  "out of place"   },
        {"a head before the body",  2, 0, RECORD_BODY,  RECORD_HEAD,  "out of place"   },
        {"the end before the ack",  0, 0, RECORD_ACK,   RECORD_END,   "out of place"   },
    };
    struct buffer plain = segment_of_three();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct forged forged;
        struct buffer segment;

        forged_read(&forged, &a->identity, buffer_view(&plain));
        forged_swap(&forged, forged_find(&forged, cases[i].type, cases[i].nth),
                    forged_find(&forged, cases[i].other, cases[i].other_nth));
        segment = forged_write(&forged);
        segment_refuse(b, buffer_view(&segment), REFUSAL_INVALID, cases[i].says);
        buffer_release(&segment);
        forged_release(&forged);
    }
    buffer_release(&plain);
}

Test(segment_forged, with_a_record_left_out)
{
    static const struct {
        enum segment_record_type type;
        size_t nth;
        const char *says;
    } cases[] = {
        {RECORD_BEGIN, 0, "out of place"},
        {RECORD_ENTRY, 0, "out of place"},
        {RECORD_ENTRY, 2, "out of place"},
        {RECORD_BODY,  0, "out of place"},
        {RECORD_BODY,  2, "out of place"},
        {RECORD_HEAD,  0, "signed head" },
        {RECORD_END,   0, "no end"      },
    };
    struct buffer plain = segment_of_three();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct forged forged;
        struct buffer segment;

        forged_read(&forged, &a->identity, buffer_view(&plain));
        forged_remove(&forged, forged_find(&forged, cases[i].type, cases[i].nth));
        segment = forged_write(&forged);
        segment_refuse(b, buffer_view(&segment), REFUSAL_INVALID, cases[i].says);
        buffer_release(&segment);
        forged_release(&forged);
    }
    buffer_release(&plain);
}

Test(segment_forged, whose_records_have_a_byte_changed)
{
    struct buffer plain = segment_of_three();
    struct forged forged;

    forged_read(&forged, &a->identity, buffer_view(&plain));
    for (size_t i = 0; i < forged.count; i++) {
        struct buffer *payload = &forged.records[i].payload;

        for (size_t j = 0; j < payload->size; j++) {
            struct segment_counts counts;
            struct buffer segment;

            if (forged.records[i].type == RECORD_BEGIN && j < 8)
                continue; /* who sent it is not relied on */
            payload->data[j] ^= 1;
            segment = forged_write(&forged);
            cr_expect_eq(segment_into(b, buffer_view(&segment), &counts, &err),
                         STATUS_REFUSED, "record %zu, byte %zu", i, j);
            buffer_release(&segment);
            payload->data[j] ^= 1;
        }
    }
    cr_expect_eq(log_last(b), 2);
    forged_release(&forged);
    buffer_release(&plain);
}

Test(segment_forged, signed_by_somebody_else)
{
    struct buffer plain = segment_of_three(), segment;
    struct forged forged;
    size_t head;

    forged_read(&forged, &a->identity, buffer_view(&plain));
    head = forged_find(&forged, RECORD_HEAD, 0);
    crypto_sign_detached(forged.records[head].payload.data, NULL,
                         (const uint8_t *)"whatever", 8, c->identity.secret_key);
    segment = forged_write(&forged);
    segment_refuse(b, buffer_view(&segment), REFUSAL_INVALID,
                   "entry 3 of node 0000000000000001 (node 1): its signature is wrong");
    forged_release(&forged);
    buffer_release(&plain);
    buffer_release(&segment);
}

/* ---- members at fault: what is rightly sealed, hashed and signed, and still wrong */

static void get_head(struct log_node *node, struct origin_head *head)
{
    struct store_txn *txn;

    OK(store_begin(node->store, TXN_READ, &txn, &err));
    OK(log_head(txn, node->identity.node, head, &err));
    store_abort(txn);
}

/* a's entry 3, of one change, or of whatever bytes. */
static void refuse_third(enum entry_kind kind, struct bytes body, uint32_t item_count,
                         uint64_t stamp_us, struct bytes context, const char *says)
{
    struct entry_header header = {
        .kind = kind,
        .origin = a->identity.node,
        .origin_seq = 3,
        .stamp_us = stamp_us,
        .item_count = item_count,
        .body_size = body.size,
        .context = context,
    };
    struct origin_head head;
    struct forged forged;
    struct buffer segment;

    get_head(a, &head);
    forged_entry(&forged, &a->identity, &header, body, head.hash);
    segment = forged_write(&forged);
    segment_refuse(b, buffer_view(&segment), REFUSAL_INVALID, says);
    buffer_release(&segment);
    forged_release(&forged);
}

static void refuse_change(const struct change *change, const char *says)
{
    struct buffer body = {0};

    change_put(&body, change);
    refuse_third(ENTRY_CHANGES, buffer_view(&body), 1, 1000010, (struct bytes){0}, says);
    buffer_release(&body);
}

Test(segment_forged, with_a_change_that_does_not_fit)
{
    struct buffer segment = segment_of(a, NULL, 0);
    struct buffer key = {0}, image = {0}, other_key = {0}, before = {0};
    struct change change = {.op = CHANGE_INSERT, .definition = 1};
    struct change wrong;

    segment_take(b, buffer_view(&segment));
    item_key(&key, 1);
    item_key(&other_key, 2);
    item_image(&image, 1, "a", "b");
    change.key = buffer_view(&key);
    change.image = buffer_view(&image);

    wrong = change;
    wrong.definition = 2;
    refuse_change(&wrong, "definition 2, which its node has not logged");
    wrong = change;
    wrong.image.size--;
    refuse_change(&wrong, "item");
    wrong = change;
    wrong.key = (struct bytes){key.data, key.size - 1};
    refuse_change(&wrong, "item");
    wrong = change;
    wrong.has_born = true;
    wrong.born = (struct version){1000009, b->identity.node, 9, 0};
    refuse_change(&wrong, "born where it can't have been");
    wrong.born = (struct version){2000000, a->identity.node, 1, 0};
    refuse_change(&wrong, "born where it can't have been");
    wrong = change;
    wrong.has_unseen = true;
    wrong.unseen_origin = c->identity.node;
    wrong.unseen_seq = 1;
    refuse_change(&wrong, "an entry that nobody knows");
    wrong = change;
    wrong.op = CHANGE_UPDATE;
    buffer_put_varint(&before, 3);
    value_put(&before, &(struct value){.type = VALUE_NULL});
    wrong.before = buffer_view(&before);
    refuse_change(&wrong, "a value before is of no column");
    buffer_release(&segment);
    buffer_release(&key);
    buffer_release(&other_key);
    buffer_release(&image);
    buffer_release(&before);
}

Test(segment_forged, with_an_entry_that_does_not_fit)
{
    struct buffer segment = segment_of(a, NULL, 0);
    struct buffer key = {0}, image = {0}, body = {0}, item = {0};
    struct change change = {.op = CHANGE_INSERT, .definition = 1};
    struct member member = {.event = MEMBER_JOINED,
                            .node = a->identity.node,
                            .name = bytes_of_text("again"),
                            .engine = MEMBER_SQLITE,
                            .formats_max = 1};

    segment_take(b, buffer_view(&segment));
    item_key(&key, 1);
    item_image(&image, 1, "a", "b");
    change.key = buffer_view(&key);
    change.image = buffer_view(&image);
    change_put(&body, &change);
    refuse_third(ENTRY_CHANGES, buffer_view(&body), 2, 1000010, (struct bytes){0},
                 "fewer items than it says");
    refuse_third(ENTRY_CHANGES, buffer_view(&body), 1, 10, (struct bytes){0},
                 "its clock went backward");
    refuse_third(ENTRY_TABLES, buffer_view(&body), 1, 1000010, (struct bytes){0},
                 "entry 3 of node");
    refuse_third(ENTRY_MEMBER, buffer_view(&body), 1, 1000010, (struct bytes){0},
                 "entry 3 of node");
    change_put(&body, &change);
    refuse_third(ENTRY_CHANGES, buffer_view(&body), 1, 1000010, (struct bytes){0},
                 "more items than it says");

    memcpy(member.public_key, a->identity.public_key, PUBLIC_KEY_SIZE);
    member_encode(&item, &member);
    buffer_clear(&body);
    buffer_put_sized(&body, buffer_view(&item));
    refuse_third(ENTRY_MEMBER, buffer_view(&body), 1, 1000010, (struct bytes){0},
                 "joins by its first entry");
    member.public_key[0] ^= 1;
    buffer_clear(&item);
    member_encode(&item, &member);
    buffer_clear(&body);
    buffer_put_sized(&body, buffer_view(&item));
    refuse_third(ENTRY_MEMBER, buffer_view(&body), 1, 1000010, (struct bytes){0},
                 "another key");

    buffer_release(&segment);
    buffer_release(&key);
    buffer_release(&image);
    buffer_release(&body);
    buffer_release(&item);
}
