#include "capture/pgoutput.h"
#include "tests/support/pgoutput_encode.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>

/* What a PostgreSQL 15 sent (the first transaction is said to be of 2020-01-02
 * 03:04:05.678901 UTC), but for the last two, which are written by hand from the
 * documentation of the protocol. */
static const char begin[] = "42 0000000001533c08 00023e1e36f96f35 000002dd";
static const char commit[] = "43 00 0000000001533c08 0000000001533c50 00023e1e36f96f35";
static const char origin[] = "4f 000000010000002a 6f7468657200";
static const char relation[] =
    "52 00004001 7075626c696300 7400 64 0004 01 696400 00000017 ffffffff"
    "00 6e616d6500 00000019 ffffffff 00 62696700 00000019 ffffffff"
    "00 7600 000006a4 000a0006";
static const char relation_named[] =
    "52 00004008 53207800 54207900 64 0002 01 6100 00000017 ffffffff"
    "01 6200 00000413 00000009";
static const char type[] = "59 0000400e 7075626c696300 6d6f6f6400";
static const char insert[] = "49 00004001 4e 0004 74 00000001 32 6e 74 00000000 6e";
static const char update[] =
    "55 00004001 4e 0004 74 00000001 31 74 00000001 62 75 74 00000004 312e3530";
static const char update_key[] = "55 00004001 4b 0004 74 00000001 32 6e 6e 6e"
                                 "4e 0004 74 00000001 37 6e 74 00000000 6e";
static const char update_full[] = "55 00004013 4f 0002 74 00000001 31 74 00000002 6f6b"
                                  "4e 0002 74 00000001 31 74 00000003 736164";
static const char update_binary[] =
    "55 00004013 4f 0002 62 00000004 00000001 62 00000002 6f6b"
    "4e 0002 62 00000004 00000001 62 00000003 736164";
static const char delete_key[] = "44 00004001 4b 0004 74 00000001 37 6e 6e 6e";
static const char delete_full[] = "44 00004013 4f 0002 74 00000001 31 74 00000003 736164";
static const char truncate_two[] = "54 00000002 03 00004001 00004013";
static const char message[] =
    "4d 01 0000000001532d20 726f77666572727900 00000004 6d61726b";
static const char message_outside[] = "4d 00 0000000001535488 7800 00000003 6f7574";
static const char abort_short[] = "41 000002de 000002df";
static const char abort_long[] = "41 000002de 000002df 0000000001533cf0 00023e1e36f96f35";

static struct buffer in;
static struct pgoutput_message found;
static struct error err;

static void tear_down(void)
{
    buffer_release(&in);
}

TestSuite(pgoutput, .fini = tear_down);

static void decode(const char *hex)
{
    buffer_clear(&in);
    hex_put(&in, hex);
    cr_assert_eq(pgoutput_decode(buffer_view(&in), &found, &err), STATUS_OK, "%s",
                 err.text);
}

Test(pgoutput, begin_tells_its_commit_in_unix_time)
{
    decode(begin);
    cr_expect_eq(found.kind, PGOUTPUT_BEGIN);
    cr_expect_eq(found.begin.final_lsn, 0x1533c08);
    cr_expect_eq(found.begin.xid, 733);
    cr_expect_eq(found.begin.commit_us, INT64_C(1577934245678901));
}

Test(pgoutput, commit_tells_what_to_confirm)
{
    decode(commit);
    cr_expect_eq(found.kind, PGOUTPUT_COMMIT);
    cr_expect_eq(found.commit.commit_lsn, 0x1533c08);
    cr_expect_eq(found.commit.end_lsn, 0x1533c50);
    cr_expect_eq(found.commit.commit_us, INT64_C(1577934245678901));
}

Test(pgoutput, origin_has_its_lsn_and_name)
{
    decode(origin);
    cr_expect_eq(found.origin.lsn, (UINT64_C(1) << 32) + 0x2a);
    cr_expect_str_eq(found.origin.name, "other");
}

static void expect_column(struct bytes *rest, bool in_identity, const char *name,
                          uint32_t oid, int32_t modifier)
{
    struct pgoutput_column column;

    cr_assert(pgoutput_take_column(rest, &column), "%s", name);
    cr_expect_eq(column.in_identity, in_identity, "%s", name);
    cr_expect_str_eq(column.name, name);
    cr_expect_eq(column.type, oid, "%s", name);
    cr_expect_eq(column.type_modifier, modifier, "%s", name);
}

Test(pgoutput, relation_has_its_columns)
{
    struct pgoutput_column column;
    struct bytes rest;

    decode(relation);
    cr_expect_eq(found.relation.oid, 0x4001);
    cr_expect_str_eq(found.relation.schema, "public");
    cr_expect_str_eq(found.relation.name, "t");
    cr_expect_eq(found.relation.identity, PGOUTPUT_IDENTITY_DEFAULT);
    cr_expect_eq(found.relation.column_count, 4);
    rest = found.relation.columns;
    expect_column(&rest, true, "id", 23, PGOUTPUT_NO_MODIFIER);
    expect_column(&rest, false, "name", 25, PGOUTPUT_NO_MODIFIER);
    expect_column(&rest, false, "big", 25, PGOUTPUT_NO_MODIFIER);
    expect_column(&rest, false, "v", 1700, 0xa0006);
    cr_expect_not(pgoutput_take_column(&rest, &column));

    decode(relation_named);
    cr_expect_str_eq(found.relation.schema, "S x");
    cr_expect_str_eq(found.relation.name, "T y");
    rest = found.relation.columns;
    expect_column(&rest, true, "a", 23, PGOUTPUT_NO_MODIFIER);
    expect_column(&rest, true, "b", 1043, 9);
}

Test(pgoutput, type_has_its_name)
{
    decode(type);
    cr_expect_eq(found.type.oid, 0x400e);
    cr_expect_str_eq(found.type.schema, "public");
    cr_expect_str_eq(found.type.name, "mood");
}

/* wanted: a character for each value, its kind, and the data of texts behind it. */
static void expect_tuple(const struct pgoutput_tuple *tuple, uint16_t count,
                         const char *wanted)
{
    struct bytes rest = tuple->columns;
    struct pgoutput_value value;
    struct buffer text = {0};
    uint16_t taken = 0;

    while (pgoutput_take_value(&rest, &value)) {
        buffer_put(&text, value.kind, 1);
        buffer_put_bytes(&text, value.data);
        taken++;
    }
    cr_expect_eq(taken, count);
    cr_expect_eq(tuple->column_count, count);
    cr_expect(bytes_equal(buffer_view(&text), bytes_of_text(wanted)), "%.*s for %s",
              (int)text.size, (const char *)text.data, wanted);
    buffer_release(&text);
}

Test(pgoutput, rows_tell_what_they_were_and_are)
{
    static const struct {
        const char *when, *hex;
        enum pgoutput_kind kind;
        uint32_t oid;
        enum pgoutput_old old_kind;
        uint16_t before_count, after_count;
        const char *before, *after;
    } cases[] = {
        {"insert",                        insert,      PGOUTPUT_INSERT, 0x4001, PGOUTPUT_OLD_NONE, 0, 4, "",       "t2ntn"     },
        {"update beside unchanged TOAST", update,      PGOUTPUT_UPDATE, 0x4001,
         PGOUTPUT_OLD_NONE,                                                                        0, 4, "",       "t1tbut1.50"},
        {"update of the key",             update_key,  PGOUTPUT_UPDATE, 0x4001, PGOUTPUT_OLD_KEY,  4, 4,
         "t2nnn",                                                                                                  "t7ntn"     },
        {"update under identity full",    update_full, PGOUTPUT_UPDATE, 0x4013,
         PGOUTPUT_OLD_FULL,                                                                        2, 2, "t1tok",  "t1tsad"    },
        {"delete",                        delete_key,  PGOUTPUT_DELETE, 0x4001, PGOUTPUT_OLD_KEY,  4, 0, "t7nnn",
         ""                                                                                                                    },
        {"delete under identity full",    delete_full, PGOUTPUT_DELETE, 0x4013,
         PGOUTPUT_OLD_FULL,                                                                        2, 0, "t1tsad", ""          },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        decode(cases[i].hex);
        cr_expect_eq(found.kind, cases[i].kind, "%s", cases[i].when);
        cr_expect_eq(found.row.relation, cases[i].oid, "%s", cases[i].when);
        cr_expect_eq(found.row.old_kind, cases[i].old_kind, "%s", cases[i].when);
        expect_tuple(&found.row.before, cases[i].before_count, cases[i].before);
        expect_tuple(&found.row.after, cases[i].after_count, cases[i].after);
    }
}

Test(pgoutput, binary_values_are_told_apart)
{
    struct bytes rest;
    struct pgoutput_value value;

    decode(update_binary);
    rest = found.row.after.columns;
    cr_assert(pgoutput_take_value(&rest, &value));
    cr_expect_eq(value.kind, PGOUTPUT_BINARY);
    cr_expect_eq(bytes_get(value.data.data, 4), 1);
}

Test(pgoutput, truncate_names_all_its_relations)
{
    struct bytes rest;
    uint32_t oid = 0;

    decode(truncate_two);
    cr_expect(found.truncate.cascade);
    cr_expect(found.truncate.restart_identity);
    cr_expect_eq(found.truncate.relation_count, 2);
    rest = found.truncate.relations;
    cr_expect(pgoutput_take_relation(&rest, &oid) && oid == 0x4001);
    cr_expect(pgoutput_take_relation(&rest, &oid) && oid == 0x4013);
    cr_expect_not(pgoutput_take_relation(&rest, &oid));
}

Test(pgoutput, messages_stand_in_and_outside_of_transactions)
{
    decode(message);
    cr_expect(found.message.transactional);
    cr_expect_eq(found.message.lsn, 0x1532d20);
    cr_expect_str_eq(found.message.prefix, "rowferry");
    cr_expect(bytes_equal(found.message.content, bytes_of_text("mark")));
    decode(message_outside);
    cr_expect_not(found.message.transactional);
}

Test(pgoutput, stray_stream_aborts_are_read)
{
    decode(abort_short);
    cr_expect_eq(found.kind, PGOUTPUT_STREAM_ABORT);
    cr_expect_eq(found.stream_abort.subxid, 0x2df);
    decode(abort_long);
    cr_expect_eq(found.stream_abort.xid, 0x2de);
    cr_expect_eq(found.stream_abort.place.size, 16);
}

static enum status recode(struct bytes bytes, struct buffer *out, struct error *reason)
{
    struct pgoutput_message decoded;
    enum status status = pgoutput_decode(bytes, &decoded, reason);

    if (status == STATUS_OK)
        pgoutput_encode(out, &decoded);
    return status;
}

/* A stream abort is whole in two lengths: no byte of the rest is too few. */
Test(pgoutput, refuses_cut_and_wrong_bytes)
{
    static const char *const all[] = {begin,           commit,         origin,
                                      relation,        relation_named, type,
                                      insert,          update,         update_key,
                                      update_full,     update_binary,  delete_key,
                                      delete_full,     truncate_two,   message,
                                      message_outside, abort_short};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        buffer_clear(&in);
        hex_put(&in, all[i]);
        recode_expect_canonical(buffer_view(&in), recode);
    }
}

Test(pgoutput, says_what_is_wrong_in_a_line)
{
    static const struct {
        const char *hex, *wrong;
    } cases[] = {
        {"",                                                         "pgoutput: an empty message"                         },
        {"5300000001 00",
         "pgoutput: message 0x53 of 6 bytes is unknown, or was not asked for"                                             },
        {"4200",                                                     "pgoutput: message 0x42 of 2 bytes is cut short"     },
        {"4100000001000000020000",                                   "pgoutput: message 0x41 of 11 bytes is cut short"    },
        {"43 01 0000000000000001 0000000000000002 0000000000000003",
         "pgoutput: message 0x43 of 26 bytes has unknown flags"                                                           },
        {"42 0000000000000001 7fffffffffffffff 00000001",
         "pgoutput: message 0x42 of 21 bytes has an impossible time"                                                      },
        {"52 00000001 00 7400 78 0000",
         "pgoutput: message 0x52 of 11 bytes has an unknown replica identity"                                             },
        {"52 00000001 00 7400 64 ffff",
         "pgoutput: message 0x52 of 11 bytes has a negative number of columns"                                            },
        {"49 00000001 4e 0001 78",
         "pgoutput: message 0x49 of 9 bytes has a value of unknown kind"                                                  },
        {"49 00000001 4e 0001 74 ffffffff 00",
         "pgoutput: message 0x49 of 14 bytes is cut short"                                                                },
        {"49 00000001 4b 0000",
         "pgoutput: message 0x49 of 8 bytes has a tuple of unknown kind"                                                  },
        {"44 00000001 4e 0000",
         "pgoutput: message 0x44 of 8 bytes has a tuple of unknown kind"                                                  },
        {"54 00000000 00",                                           "pgoutput: message 0x54 of 6 bytes names no relation"},
        {"54 ffffffff 00 00000001",                                  "pgoutput: message 0x54 of 10 bytes is cut short"    },
        {"49 00000001 4e 0000 00",                                   "pgoutput: message 0x49 of 9 bytes is too long"      },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_clear(&in);
        hex_put(&in, cases[i].hex);
        cr_expect_eq(pgoutput_decode(buffer_view(&in), &found, &err), STATUS_CORRUPT,
                     "%s", cases[i].hex);
        cr_expect_str_eq(err.text, cases[i].wrong);
    }
}
