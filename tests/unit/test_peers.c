/* What a store keeps of its peers' acknowledgements. */
#include "log/peers.h"
#include "log/store_private.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct log_fixture fixture;
static struct log_node *a, *b;
static struct acknowledgement ack; /* b's */
static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static void set_up(void)
{
    struct store_txn *txn;

    log_fixture_open(&fixture, 2);
    a = &fixture.nodes[0];
    b = &fixture.nodes[1];
    acknowledgement_init(&ack);
    OK(store_begin(b->store, TXN_READ, &txn, &err));
    OK(acknowledgement_make(txn, &ack, &err));
    store_abort(txn);
}

static void tear_down(void)
{
    acknowledgement_release(&ack);
    log_fixture_close(&fixture);
}

TestSuite(peers, .init = set_up, .fini = tear_down);

/* What a says to b's acknowledgement, and whether it keeps it. */
static enum status learn(bool *newer)
{
    struct store_txn *txn;
    enum status status;

    OK(store_begin(a->store, TXN_WRITE, &txn, &err));
    status = peers_learn(txn, &ack, newer, &err);
    if (status == STATUS_OK)
        OK(store_commit(txn, &err));
    else
        store_abort(txn);
    return status;
}

static bool is_kept(void)
{
    struct store_txn *txn;
    struct peer peer;
    enum status status;

    peer_init(&peer);
    OK(store_begin(a->store, TXN_READ, &txn, &err));
    status = peers_get(txn, b->identity.node, &peer, &err);
    store_abort(txn);
    peer_release(&peer);
    return status == STATUS_OK;
}

Test(peers, an_acknowledgement_is_kept_once_its_node_is_known)
{
    bool newer;

    cr_expect_eq(learn(&newer), STATUS_NOT_FOUND);
    cr_expect_not(is_kept());
    log_carry(b, a, 0);
    cr_expect_eq(learn(&newer), STATUS_OK);
    cr_expect(newer);
    cr_expect(is_kept());
    cr_expect_eq(learn(&newer), STATUS_OK);
    cr_expect_not(newer);
}

Test(peers, an_acknowledgement_that_somebody_else_wrote_is_refused)
{
    bool newer;

    log_carry(b, a, 0);
    ack.signature[3] ^= 1;
    cr_expect_eq(learn(&newer), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "wrong signature"), "%s", err.text);
    cr_expect_not(is_kept());
}

/* ---- entries */

Test(peers, log_get_names_the_entry_that_does_not_decode)
{
    static const uint8_t key[] = {0, 0, 0, 0, 0, 0, 0, 2};
    struct log_entry entry;
    struct store_txn *txn;

    OK(store_begin(a->store, TXN_WRITE, &txn, &err));
    cr_expect_eq(log_get(txn, 3, &entry, &err), STATUS_NOT_FOUND);
    OK(store_put(txn, DBI_LOG, (struct bytes){key, sizeof key}, bytes_of_text("x"),
                 &err));
    cr_expect_eq(log_get(txn, 2, &entry, &err), STATUS_CORRUPT);
    cr_expect_not_null(strstr(err.text, "entry 2"), "%s", err.text);
    store_abort(txn);
}
