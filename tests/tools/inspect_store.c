/* What a store says of itself, for tests that must tell where a kill has struck:
 *
 *   inspect_store STORE            one line of JSON
 *   inspect_store STORE --future   raise the store's format number by one */
#include "log/intent.h"
#include "log/store_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum status print_meta(struct store_txn *txn, struct error *err)
{
    static const struct {
        const char *name;
        enum meta_key key;
    } numbers[] = {
        {"last_seq",     META_LAST_SEQ    },
        {"applied",      META_APPLIED     },
        {"seen",         META_SEEN        },
        {"next_segment", META_NEXT_SEGMENT},
    };
    struct bytes adoption = {0};
    struct bytes join = {0};
    uint64_t number;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status == STATUS_OK; i++) {
        status = meta_get(txn, numbers[i].key, &number, err);
        if (status == STATUS_OK)
            (void)printf("\"%s\":%" PRIu64 ",", numbers[i].name, number);
    }
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_ADOPTION, &adoption, err);
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_JOIN, &join, err);
    if (status == STATUS_OK)
        (void)printf("\"adoption\":%s,\"join\":%s,", adoption.size > 0 ? "true" : "false",
                     join.size > 0 ? "true" : "false");
    return status;
}

static enum status print_intent(struct store_txn *txn, struct error *err)
{
    struct intent intent = {0};
    enum status status = intent_get(txn, &intent, err);

    if (status == STATUS_NOT_FOUND) {
        (void)printf("\"intent\":null");
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        (void)printf("\"intent\":{\"from\":%" PRIu64 ",\"to\":%" PRIu64
                     ",\"counter\":%" PRIu64 "}",
                     intent.from, intent.to, intent.counter);
    }
    return status;
}

static enum status inspect(struct store *store, struct error *err)
{
    const struct identity *identity = store_identity(store);
    struct store_txn *txn = NULL;
    uint64_t repairs = 0;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status != STATUS_OK)
        return status;
    status = repair_count(txn, &repairs, err);
    (void)printf("{\"node\":\"%016" PRIx64 "\",\"incarnation\":\"%016" PRIx64 "\",",
                 identity->node, identity->incarnation);
    (void)printf("\"repair\":%" PRIu64 ",", repairs);
    if (status == STATUS_OK)
        status = print_meta(txn, err);
    if (status == STATUS_OK)
        status = print_intent(txn, err);
    (void)puts("}");
    store_abort(txn);
    return status;
}

static enum status raise_format(struct store *store, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put(txn, (enum meta_key)META_PRIVATE_FORMAT, STORE_FORMAT + 1, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

int main(int argc, char **argv)
{
    bool future = argc == 3 && strcmp(argv[2], "--future") == 0;
    struct store *store = NULL;
    struct error err = {""};
    enum status status;

    if (argc != 2 && !future) {
        (void)fprintf(stderr, "usage: inspect_store STORE [--future]\n");
        return 2;
    }
    status =
        store_open(&store, argv[1], future ? STORE_READ_WRITE : STORE_READ_ONLY, &err);
    if (status == STATUS_OK)
        status = future ? raise_format(store, &err) : inspect(store, &err);
    store_close(store);
    if (status != STATUS_OK)
        (void)fprintf(stderr, "inspect_store: %s\n", err.text);
    return status == STATUS_OK ? 0 : 1;
}
