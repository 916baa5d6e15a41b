#include "capture/replication_frame.h"
#include "tests/support/pgoutput_encode.h"

#include <criterion/criterion.h>

/* From the documentation of the protocol. */
static const char data[] = "77 0000000001533a88 0000000001533c50 00023e1e36f96f35 52 00";
static const char keepalive[] = "6b 0000000101533c50 00023e1e36f96f35 01";

static struct buffer in;
static struct replication_frame found;
static struct error err;

static void tear_down(void)
{
    buffer_release(&in);
}

TestSuite(replication_frame, .fini = tear_down);

static enum status decode(const char *hex)
{
    buffer_clear(&in);
    hex_put(&in, hex);
    return replication_frame_decode(buffer_view(&in), &found, &err);
}

Test(replication_frame, data_has_a_message_inside)
{
    cr_assert_eq(decode(data), STATUS_OK, "%s", err.text);
    cr_expect_eq(found.kind, REPLICATION_DATA);
    cr_expect_eq(found.start_lsn, 0x1533a88);
    cr_expect_eq(found.wal_end, 0x1533c50);
    cr_expect_eq(found.sent_us, INT64_C(1577934245678901));
    cr_expect_eq(found.content.size, 2);
    cr_expect_eq(found.content.data, in.data + 25);
    cr_expect_not(found.reply_wanted);
}

Test(replication_frame, keepalive_tells_how_far_all_was_sent)
{
    cr_assert_eq(decode(keepalive), STATUS_OK, "%s", err.text);
    cr_expect_eq(found.kind, REPLICATION_KEEPALIVE);
    cr_expect_eq(found.wal_end, 0x101533c50);
    cr_expect_eq(found.content.size, 0);
    cr_expect(found.reply_wanted);
}

Test(replication_frame, refuses_cut_and_wrong_bytes)
{
    static const struct {
        const char *hex, *wrong;
    } cases[] = {
        {"",                                                    "replication: an empty frame"                   },
        {"72",                                                  "replication: frame of unknown kind 0x72"       },
        {"7700",                                                "replication: frame 'w' of 2 bytes is cut short"},
        {"77 0000000001533a88 0000000001533c50 00023e1e36f96f",
         "replication: frame 'w' of 24 bytes is cut short"                                                      },
        {"6b 0000000101533c50 00023e1e36f96f35",
         "replication: frame 'k' of 17 bytes is cut short"                                                      },
        {"6b 0000000101533c50 00023e1e36f96f35 00 00",
         "replication: frame 'k' of 19 bytes is too long"                                                       },
        {"6b 0000000101533c50 00023e1e36f96f35 02",
         "replication: frame 'k' with a wrong time or flag"                                                     },
        {"6b 0000000101533c50 7fffffffffffffff 01",
         "replication: frame 'k' with a wrong time or flag"                                                     },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(decode(cases[i].hex), STATUS_CORRUPT, "%s", cases[i].hex);
        cr_expect_str_eq(err.text, cases[i].wrong);
    }
}

Test(replication_frame, status_encodes_to_the_golden_bytes)
{
    static const struct replication_status status = {0x101533c50, 0x101533a88,
                                                     INT64_C(1577934245678901), true};
    uint8_t out[REPLICATION_STATUS_SIZE];

    hex_put(&in, "72 0000000101533c50 0000000101533a88 0000000101533a88 00023e1e36f96f35 "
                 "01");
    replication_status_encode(&status, out);
    cr_expect(bytes_equal(buffer_view(&in), (struct bytes){out, sizeof out}));
}

Test(replication_frame, times_are_of_2000_on_the_wire_only)
{
    static const struct {
        int64_t unix_us;
        uint64_t wire;
    } cases[] = {
        {INT64_C(946684800000000),             0                                    },
        {0,                                    (uint64_t)-INT64_C(946684800000000)  },
        {INT64_MAX,                            INT64_MAX - UINT64_C(946684800000000)},
        {INT64_MIN + INT64_C(946684800000000), (uint64_t)INT64_MIN                  },
    };
    int64_t unix_us = 7;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect(replication_time_take(cases[i].wire, &unix_us));
        cr_expect_eq(unix_us, cases[i].unix_us);
        cr_expect_eq(replication_time_put(unix_us), cases[i].wire);
    }
    cr_expect_not(replication_time_take(INT64_MAX, &unix_us));
    cr_expect_eq(unix_us, INT64_MIN + INT64_C(946684800000000));
}
