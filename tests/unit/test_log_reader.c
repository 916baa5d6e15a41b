/* What the log says of its entries without a walk through them. */
#include "tests/support/log_fixture.h"

#include "log/log_record.h"

#include <criterion/criterion.h>

static struct error err;
static struct log_fixture fleet;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static void set_up(void)
{
    log_fixture_open(&fleet, 3);
}

static void tear_down(void)
{
    log_fixture_close(&fleet);
}

TestSuite(log_reader, .init = set_up, .fini = tear_down);

/* A log of three origins, by turns: entries 1 and 2 of each first. */
static struct log_node *mix(void)
{
    struct log_node *into = &fleet.nodes[2];

    for (int i = 0; i < 20; i++) {
        struct log_node *from = &fleet.nodes[i * i % 7 % 3];

        (void)log_write(from, i, "x", NULL);
        if (from != into)
            log_carry(from, into, i % 4 == 3 ? 0 : 1);
    }
    return into;
}

Test(log_reader, raises_a_vector_from_any_entry_to_any_later_one)
{
    struct log_node *node = mix();
    struct version_vector walked, raised;
    struct store_txn *txn;

    version_vector_init(&walked);
    version_vector_init(&raised);
    OK(store_begin(node->store, TXN_READ, &txn, &err));
    for (uint64_t from = 0; from <= log_last(node); from++) {
        walked.count = 0;
        for (uint64_t seq = 1; seq <= log_last(node); seq++) {
            struct log_entry entry;

            OK(log_get(txn, seq, &entry, &err));
            OK(version_vector_set(&walked, entry.header.origin, entry.header.origin_seq,
                                  &err));
            if (seq == from)
                OK(version_vector_copy(&raised, &walked, &err));
            if (seq < from)
                continue;
            OK(log_vector_raise(txn, seq, &raised, &err));
            cr_expect(version_vector_equal(&raised, &walked), "%d to %d", (int)from,
                      (int)seq);
        }
    }
    cr_assert_eq(walked.count, 3);
    store_abort(txn);
    version_vector_release(&walked);
    version_vector_release(&raised);
}

Test(log_reader, raises_no_vector_over_an_entry_that_is_not_indexed)
{
    struct log_node *node = mix();
    struct version_vector vector;
    struct store_txn *txn;
    struct log_entry entry;
    uint8_t key[ORIGIN_KEY_SIZE];

    version_vector_init(&vector);
    OK(store_begin(node->store, TXN_WRITE, &txn, &err));
    OK(log_get(txn, log_last(node), &entry, &err));
    OK(store_delete(txn, DBI_ORIGIN,
                    origin_key(key, entry.header.origin, entry.header.origin_seq), &err));
    cr_expect_eq(log_vector_raise(txn, log_last(node), &vector, &err), STATUS_CORRUPT);
    store_abort(txn);
    version_vector_release(&vector);
}

Test(log_reader, peeks_at_what_it_would_get)
{
    struct log_node *node = mix();
    struct store_txn *txn;
    struct log_entry got, seen;

    OK(store_begin(node->store, TXN_READ, &txn, &err));
    for (uint64_t seq = 1; seq <= log_last(node); seq++) {
        OK(log_get(txn, seq, &got, &err));
        OK(log_peek(txn, seq, &seen, &err));
        cr_expect_eq(seen.seq, seq);
        cr_expect_eq(seen.local, got.local);
        cr_expect_eq(seen.arrived_us, got.arrived_us);
        cr_expect_eq(seen.header.kind, got.header.kind);
        cr_expect_eq(seen.header.origin, got.header.origin);
        cr_expect_eq(seen.header.stamp_us, got.header.stamp_us);
        cr_expect_eq(seen.header.item_count, got.header.item_count);
    }
    cr_expect_eq(log_peek(txn, log_last(node) + 1, &seen, &err), STATUS_NOT_FOUND);
    store_abort(txn);
}

Test(log_reader, a_peek_refuses_what_is_no_header)
{
    struct log_node *node = mix();
    uint8_t key[SEQ_KEY_SIZE], copy[1024];
    struct bytes record;
    struct store_txn *txn;
    struct log_entry entry;

    OK(store_begin(node->store, TXN_READ, &txn, &err));
    OK(store_get(txn, DBI_LOG, seq_key(key, 3), &record, &err));
    cr_assert_leq(record.size, sizeof copy);
    memcpy(copy, record.data, record.size);
    store_abort(txn);
    OK(log_record_peek(3, (struct bytes){copy, record.size}, &entry, &err));
    cr_expect_eq(log_record_peek(3, (struct bytes){copy, 60}, &entry, &err),
                 STATUS_CORRUPT, "cut in the header");
    copy[1] = 2;
    cr_expect_eq(log_record_peek(3, (struct bytes){copy, record.size}, &entry, &err),
                 STATUS_CORRUPT, "a flag");
    copy[1] = 0;
    copy[43] ^= 0x40;
    cr_expect_eq(log_record_peek(3, (struct bytes){copy, record.size}, &entry, &err),
                 STATUS_CORRUPT, "the header's format");
}
