/* Memory that runs out at each allocation in turn: every call of log/ and of a folder's
 * state files says so, gives back what it had taken (the sanitizer looks), and leaves a
 * store that goes on. */
#include "log/acknowledgement.h"
#include "log/segment_reader.h"
#include "ship/folder_state.h"
#include "tests/support/failing_memory.h"
#include "tests/support/segment_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 100000, EACH = 64, ORIGINS = 9, ROWS = 3 };

static FILE *file;
static uint8_t public_key[PUBLIC_KEY_SIZE];
static struct buffer bytes; /* what a test's attempt decodes */
static struct acknowledgement ack;
static struct segment_ranges ranges;

static void set_up(void)
{
    segment_set_up();
    file = tmpfile();
    cr_assert_not_null(file);
}

static void tear_down(void)
{
    (void)fclose(file);
    buffer_release(&bytes);
    acknowledgement_release(&ack);
    segment_ranges_release(&ranges);
    segment_tear_down();
}

TestSuite(log_memory, .init = set_up, .fini = tear_down);

/* Let the attempt go wrong at its first, second, … allocation, in growing steps where it
 * makes thousands, until it goes well. */
static void expect_told(enum status (*attempt)(void), unsigned allocations_min)
{
    enum status status = STATUS_NO_MEMORY;
    unsigned calls = 0;

    for (; status == STATUS_NO_MEMORY && calls < CALLS_MAX;
         calls += calls < EACH ? 1 : calls / 8) {
        err.text[0] = '\0';
        failing_memory_start(calls);
        status = attempt();
        (void)failing_memory_stop();
        if (status == STATUS_NO_MEMORY)
            cr_expect_not_null(strstr(err.text, "out of memory"), "%u: %s", calls,
                               err.text);
    }
    cr_expect_eq(status, STATUS_OK, "%u: %s", calls, err.text);
    cr_expect_gt(calls, allocations_min);
}

/* ---- ranges, acknowledgements, state files */

static void make_ranges(void)
{
    for (uint64_t origin = 1; origin <= ORIGINS; origin++) {
        struct segment_range range = {.origin = origin, .to = 1};

        OK(segment_ranges_add(&ranges, &range, &err));
    }
}

static enum status copy_ranges(void)
{
    struct segment_ranges copy;
    enum status status;

    segment_ranges_init(&copy);
    status = segment_ranges_copy(&copy, &ranges, &err);
    for (size_t i = 0; i < ORIGINS && status == STATUS_OK; i++) {
        struct segment_range range = {.origin = ORIGINS + 1 + i, .to = 1};

        status = segment_ranges_add(&copy, &range, &err);
    }
    segment_ranges_release(&copy);
    return status;
}

static enum status raise_ranges(void)
{
    struct version_vector vector;
    enum status status;

    version_vector_init(&vector);
    status = segment_ranges_raise(&ranges, &vector, &err);
    version_vector_release(&vector);
    return status;
}

static enum status take_ranges(void)
{
    struct bytes in = buffer_view(&bytes);
    struct segment_ranges taken;
    enum status status;

    segment_ranges_init(&taken);
    status = segment_ranges_take(&in, &taken, false, &err);
    cr_expect_eq(in.size, status == STATUS_OK ? 0 : bytes.size);
    segment_ranges_release(&taken);
    return status;
}

Test(log_memory, of_ranges)
{
    make_ranges();
    segment_ranges_put(&bytes, &ranges, false);
    expect_told(copy_ranges, 2);
    expect_told(raise_ranges, 1);
    expect_told(take_ranges, 2);
}

static enum status make_ack(void)
{
    struct store_txn *txn;
    enum status status = store_begin(a->store, TXN_READ, &txn, &err);

    if (status == STATUS_OK)
        status = acknowledgement_make(txn, &ack, &err);
    store_abort(txn);
    return status;
}

static enum status check_ack(void)
{
    bool right = false;
    enum status status =
        acknowledgement_check(&ack, a->identity.fleet, public_key, &right, &err);

    cr_expect_eq(right, status == STATUS_OK, "what could not be checked is not right");
    return status;
}

static enum status take_ack(void)
{
    struct bytes in = buffer_view(&bytes);
    struct acknowledgement taken, copy;
    enum status status;

    acknowledgement_init(&taken);
    acknowledgement_init(&copy);
    status = acknowledgement_take(&in, &taken, &err);
    cr_expect_eq(in.size, status == STATUS_OK ? 0 : bytes.size);
    if (status == STATUS_OK)
        status = acknowledgement_copy(&copy, &taken, &err);
    acknowledgement_release(&taken);
    acknowledgement_release(&copy);
    return status;
}

Test(log_memory, of_acknowledgements)
{
    log_take_all(a);
    memcpy(public_key, store_identity(a->store)->public_key, sizeof public_key);
    expect_told(make_ack, 3);
    acknowledgement_put(&bytes, &ack);
    expect_told(check_ack, 1);
    expect_told(take_ack, 4);
}

static enum status list_and_decode_state(void)
{
    struct folder_state state;
    enum status status = STATUS_OK;

    folder_state_init(&state);
    for (uint64_t number = 1; number <= 20 && status == STATUS_OK; number++)
        status = folder_state_list(&state, number, 1, &ranges, &err);
    if (status == STATUS_OK)
        status = folder_state_decode(buffer_view(&bytes), &state, &err);
    folder_state_release(&state);
    return status;
}

Test(log_memory, of_state_files)
{
    struct folder_state state;

    make_ranges();
    folder_state_init(&state);
    state.node = a->identity.node;
    memcpy(state.name, "a", 2);
    OK(make_ack());
    OK(acknowledgement_copy(&state.ack, &ack, &err));
    OK(folder_state_list(&state, 1, 1, &ranges, &err));
    folder_state_encode(&bytes, &state);
    folder_state_release(&state);
    expect_told(list_and_decode_state, 25);
}

/* ---- segments */

static enum status read_records(void)
{
    struct segment_reader *reader = NULL;
    struct segment_record record;
    enum refusal refusal;
    enum status status;

    rewind(file);
    status = segment_reader_open(&reader, &a->identity, file, "x", &refusal, &err);
    while (status == STATUS_OK)
        status = segment_reader_next(reader, &record, &refusal, &err);
    segment_reader_close(reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_ranges(void)
{
    enum refusal refusal;

    rewind(file);
    segment_ranges_release(&ranges);
    return segment_read_ranges(&a->identity, file, "x", &ranges, &refusal, &err);
}

static enum status import(void)
{
    struct segment_counts counts;

    rewind(file);
    return segment_import(b->store, file, "x", &counts, &err);
}

Test(log_memory, of_who_reads_a_segment)
{
    struct buffer segment = segment_of_three();

    cr_assert_eq(fwrite(segment.data, 1, segment.size, file), segment.size);
    buffer_release(&segment);
    expect_told(read_records, 2);
    expect_told(read_ranges, 3);
    OK(store_lock(b->store, LOCK_IMPORT, &err));
    expect_told(import, 20);
    store_unlock(b->store, LOCK_IMPORT);
    cr_expect_str_eq(log_winner(b, 1), "a=one b=eins");
    cr_expect_eq(log_last(b), 5, "each entry once");
}

static enum status write_segment(void)
{
    struct version_vector held, after;
    struct segment_counts counts;
    enum status status;

    rewind(file);
    version_vector_init(&held);
    version_vector_init(&after);
    status = segment_write(a->store, &held, 0, file, &after, &counts, &err);
    version_vector_release(&held);
    version_vector_release(&after);
    return status;
}

Test(log_memory, of_who_writes_a_segment)
{
    log_write(a, 1, "one", NULL);
    expect_told(write_segment, 10);
    OK(store_lock(b->store, LOCK_IMPORT, &err));
    OK(import());
    store_unlock(b->store, LOCK_IMPORT);
    cr_expect_str_eq(log_winner(b, 1), "a=one b=");
}

/* ---- the appender */

static struct buffer key, image; /* large enough before memory runs out */

static enum status append_rows(void)
{
    struct appender *appender = NULL;
    uint64_t seq;
    enum status status = appender_open(&appender, a->store, APPENDER_CAPTURE, &err);

    for (int64_t id = 1; id <= ROWS && status == STATUS_OK; id++) {
        struct change change = {.op = CHANGE_INSERT, .definition = 1};

        buffer_clear(&key);
        buffer_clear(&image);
        item_key(&key, id);
        item_image(&image, id, "x", NULL);
        change.key = buffer_view(&key);
        change.image = buffer_view(&image);
        status = appender_add_change(appender, &change, &err);
    }
    if (status == STATUS_OK)
        status = appender_end_local(
            appender, &(struct local_entry){.kind = ENTRY_CHANGES}, &seq, &err);
    if (status == STATUS_OK)
        status = appender_commit(appender, &err);
    appender_close(appender);
    return status;
}

Test(log_memory, of_who_appends)
{
    cr_assert_not_null(buffer_reserve(&key, 64));
    cr_assert_not_null(buffer_reserve(&image, 64));
    expect_told(append_rows, 20);
    buffer_release(&key);
    buffer_release(&image);
    cr_expect_geq(log_last(a), 3);
    log_carry(a, b, 0);
    cr_expect_str_eq(log_winner(b, ROWS), log_winner(a, ROWS));
    cr_expect_neq(strcmp(log_winner(a, ROWS), "nothing"), 0);
}
