#include "log/entry.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})

static struct error err;

static const uint8_t context[] = {1, 0, 0, 0, 0, 0, 0, 0, 9, 4};
static const uint8_t fields[] = {1, 2, 'h', 'i', 0xac, 0x02, 1, 'x'};

static const struct entry_header header = {
    .kind = ENTRY_CHANGES,
    .flags = ENTRY_PARTIAL,
    .origin = 0x0102030405060708,
    .origin_seq = 300,
    .stamp_us = 0x11,
    .commit_us = 0x12,
    .item_count = 2,
    .body_size = 70,
    .context = {context, sizeof context},
    .fields = {fields,  sizeof fields },
};

static const uint8_t golden[] = {
    1,                                         /* format */
    1,                                         /* changes */
    1,                                         /* partial */
    1,    2,    3,   4,   5, 6, 7, 8,          /* origin */
    0,    0,    0,   0,   0, 0, 1, 0x2c,       /* origin_seq */
    0,    0,    0,   0,   0, 0, 0, 0x11,       /* stamp_us */
    0,    0,    0,   0,   0, 0, 0, 0x12,       /* commit_us */
    0,    0,    0,   2,                        /* item_count */
    0,    0,    0,   0,   0, 0, 0, 70,         /* body_size */
    1,    0,    0,   0,   0, 0, 0, 0,    9, 4, /* context: node 9 up to 4 */
    2,                                         /* fields */
    1,    2,    'h', 'i',                      /* note */
    0xac, 0x02, 1,   'x',                      /* 300, which nobody knows yet */
};

static const uint8_t base[] = {
    1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    struct entry_header decoded;
    enum status status = entry_header_decode(in, &decoded, reason);

    if (status == STATUS_OK)
        entry_header_encode(out, &decoded);
    return status;
}

Test(entry, header_encodes_to_the_golden_bytes)
{
    struct buffer out = {0};

    entry_header_encode(&out, &header);
    cr_expect(bytes_equal(buffer_view(&out), VIEW(golden)));
    recode_expect_canonical(VIEW(golden), recode);
    recode_expect_canonical(VIEW(base), recode);
    buffer_release(&out);
}

Test(entry, header_decodes_what_the_golden_bytes_say)
{
    struct entry_header decoded;

    cr_assert_eq(entry_header_decode(VIEW(golden), &decoded, &err), STATUS_OK, "%s",
                 err.text);
    cr_expect_eq(decoded.kind, ENTRY_CHANGES);
    cr_expect_eq(decoded.flags, ENTRY_PARTIAL);
    cr_expect_eq(decoded.origin, 0x0102030405060708);
    cr_expect_eq(decoded.origin_seq, 300);
    cr_expect_eq(decoded.stamp_us, 0x11);
    cr_expect_eq(decoded.commit_us, 0x12);
    cr_expect_eq(decoded.item_count, 2);
    cr_expect_eq(decoded.body_size, 70);
    cr_expect(bytes_equal(decoded.context, VIEW(context)));
    cr_expect(bytes_equal(decoded.fields, VIEW(fields)));
}

Test(entry, header_without_context_and_fields)
{
    struct entry_header bare = header;
    struct entry_header decoded;
    struct buffer out = {0};

    bare.context = bare.fields = (struct bytes){NULL, 0};
    entry_header_encode(&out, &bare);
    cr_assert_eq(out.size, 49);
    cr_assert_eq(entry_header_decode(buffer_view(&out), &decoded, &err), STATUS_OK);
    cr_expect_null(decoded.fields.data);
    cr_expect_eq(decoded.fields.size, 0);
    cr_expect_eq(version_vector_view_get(decoded.context, 9), 0);
    buffer_release(&out);
}

Test(entry, header_of_a_newer_format_is_unavailable)
{
    static const uint8_t newer[] = {2, 'a', 'n', 'y'};
    struct entry_header decoded;

    cr_expect_eq(entry_header_decode(VIEW(newer), &decoded, &err), STATUS_UNAVAILABLE);
}

Test(entry, header_refuses_wrong_bytes)
{
    static const struct {
        const char *when;
        size_t offset;
        uint8_t byte;
        const char *says;
    } cases[] = {
        {"format 0",                    0,  0,  "format"          },
        {"kind 0",                      1,  0,  "kind"            },
        {"kind 4",                      1,  4,  "kind"            },
        {"an unknown flag",             2,  5,  "flag"            },
        {"tables that are partial",     1,  2,  "flags do not fit"},
        {"base with a timestamp",       2,  2,  "base"            },
        {"items without bytes",         46, 0,  "items"           },
        {"more items than bytes",       38, 36, "items"           },
        {"bytes without items",         38, 0,  "no items"        },
        {"a context of three",          47, 3,  "context"         },
        {"a context up to nothing",     56, 0,  "context"         },
        {"fields that are not counted", 57, 1,  "fields"          },
        {"tag 0",                       58, 0,  "fields"          },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t wrong[sizeof golden];
        struct entry_header decoded;

        memcpy(wrong, golden, sizeof golden);
        wrong[cases[i].offset] = cases[i].byte;
        cr_expect_eq(entry_header_decode(VIEW(wrong), &decoded, &err), STATUS_CORRUPT,
                     "%s", cases[i].when);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s: %s", cases[i].when,
                           err.text);
    }
}

Test(entry, header_refuses_a_context_of_its_own)
{
    uint8_t wrong[sizeof golden];
    struct entry_header decoded;

    memcpy(wrong, golden, sizeof golden);
    memcpy(wrong + 3, context + 1, 8);
    cr_expect_eq(entry_header_decode(VIEW(wrong), &decoded, &err), STATUS_CORRUPT);
    cr_expect_not_null(strstr(err.text, "own origin"));
}

Test(entry, header_refuses_fields_out_of_order)
{
    static const uint8_t tags[][2] = {
        {2, 1},
        {2, 2}
    };

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        uint8_t wrong[sizeof base + 4] = {0};
        struct entry_header decoded;

        memcpy(wrong, base, sizeof base);
        wrong[sizeof base - 1] = 2;
        wrong[sizeof base] = tags[i][0];
        wrong[sizeof base + 2] = tags[i][1];
        cr_expect_eq(entry_header_decode(VIEW(wrong), &decoded, &err), STATUS_CORRUPT);
        wrong[sizeof base + 2] = 3;
        cr_expect_eq(entry_header_decode(VIEW(wrong), &decoded, &err), STATUS_OK);
    }
}

Test(entry, member_has_one_item)
{
    uint8_t wrong[sizeof golden];
    struct entry_header decoded;

    memcpy(wrong, golden, sizeof golden);
    wrong[1] = ENTRY_MEMBER;
    wrong[2] = 0;
    cr_expect_eq(entry_header_decode(VIEW(wrong), &decoded, &err), STATUS_CORRUPT);
    wrong[38] = 1;
    cr_expect_eq(entry_header_decode(VIEW(wrong), &decoded, &err), STATUS_OK);
}

Test(entry, fields_are_found_among_unknown_ones)
{
    struct buffer made = {0};
    struct bytes value;

    entry_field_put(&made, FIELD_NOTE, bytes_of_text("hi"));
    entry_field_put(&made, (enum entry_field)300, bytes_of_text("x"));
    cr_expect(bytes_equal(buffer_view(&made), VIEW(fields)));
    cr_assert(entry_field_find(buffer_view(&made), FIELD_NOTE, &value));
    cr_expect(bytes_equal(value, bytes_of_text("hi")));
    cr_assert(entry_field_find(buffer_view(&made), (enum entry_field)300, &value));
    cr_expect(bytes_equal(value, bytes_of_text("x")));
    cr_expect_not(entry_field_find(buffer_view(&made), FIELD_USER, &value));
    cr_expect_not(entry_field_find((struct bytes){NULL, 0}, FIELD_NOTE, &value));
    buffer_release(&made);
}

/* The chain is a contract with logs already on disk: hashed again by the words of the
 * definition, from one piece of memory. */
Test(entry, hash_chains_previous_header_and_body)
{
    uint8_t previous[HASH_SIZE];
    uint8_t body_hash[HASH_SIZE];
    uint8_t all[HASH_SIZE + sizeof golden + HASH_SIZE];
    uint8_t expected[HASH_SIZE];
    uint8_t hash[HASH_SIZE];

    memset(previous, 1, sizeof previous);
    crypto_generichash(body_hash, sizeof body_hash, (const uint8_t *)"body", 4, NULL, 0);
    memcpy(all, previous, HASH_SIZE);
    memcpy(all + HASH_SIZE, golden, sizeof golden);
    memcpy(all + HASH_SIZE + sizeof golden, body_hash, HASH_SIZE);
    crypto_generichash(expected, sizeof expected, all, sizeof all, NULL, 0);
    entry_hash(hash, previous, VIEW(golden), body_hash);
    cr_expect_arr_eq(hash, expected, HASH_SIZE);
    previous[0] ^= 1;
    entry_hash(hash, previous, VIEW(golden), body_hash);
    cr_expect_arr_neq(hash, expected, HASH_SIZE);
}

static const uint8_t member_golden[] = {
    1,                                                    /* format */
    1,                                                    /* joined */
    0, 0, 0, 0, 0, 0, 0xbe, 0xef,                         /* node */
    2,                                                    /* Postgres */
    3,                                                    /* formats_max */
    7, 7, 7, 7, 7, 7, 7,    7,    7, 7, 7, 7, 7, 7, 7, 7, /* public key */
    7, 7, 7, 7, 7, 7, 7,    7,    7, 7, 7, 7, 7, 7, 7, 7, 's', 'h', 'i', 'p', /* name */
};

static enum status recode_member(struct bytes in, struct buffer *out,
                                 struct error *reason)
{
    struct member member;
    enum status status = member_decode(in, &member, reason);

    if (status == STATUS_OK)
        member_encode(out, &member);
    return status;
}

Test(entry, member_encodes_to_the_golden_bytes)
{
    struct member member = {.event = MEMBER_JOINED,
                            .node = 0xbeef,
                            .name = bytes_of_text("ship"),
                            .engine = MEMBER_POSTGRES,
                            .formats_max = 3};
    struct buffer out = {0};

    memset(member.public_key, 7, sizeof member.public_key);
    member_encode(&out, &member);
    cr_expect(bytes_equal(buffer_view(&out), VIEW(member_golden)));
    buffer_clear(&out);
    cr_expect_eq(recode_member(VIEW(member_golden), &out, &err), STATUS_OK);
    cr_expect(bytes_equal(buffer_view(&out), VIEW(member_golden)));
    buffer_release(&out);
}

Test(entry, member_refuses_cut_and_wrong_bytes)
{
    static const struct {
        const char *when;
        size_t offset;
        uint8_t byte;
    } cases[] = {
        {"format 2",       0,  2   },
        {"event 0",        1,  0   },
        {"event 3",        1,  3   },
        {"engine 0",       10, 0   },
        {"engine 3",       10, 3   },
        {"no format read", 11, 0   },
        {"a line break",   45, '\n'},
        {"an escape",      45, 0x1b},
        {"no UTF-8",       45, 0xff},
        {"delete",         45, 0x7f},
    };
    uint8_t wrong[sizeof member_golden + 256];
    struct member member;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(wrong, member_golden, sizeof member_golden);
        wrong[cases[i].offset] = cases[i].byte;
        cr_expect_eq(
            member_decode((struct bytes){wrong, sizeof member_golden}, &member, &err),
            STATUS_CORRUPT, "%s", cases[i].when);
    }
    for (size_t size = 0; size <= sizeof member_golden - 4; size++)
        cr_expect_eq(member_decode((struct bytes){member_golden, size}, &member, &err),
                     STATUS_CORRUPT, "cut to %zu", size);
    memset(wrong, 'n', sizeof wrong);
    memcpy(wrong, member_golden, sizeof member_golden);
    cr_expect_eq(member_decode((struct bytes){wrong, 44 + 255}, &member, &err),
                 STATUS_OK);
    cr_expect_eq(member_decode((struct bytes){wrong, 44 + 256}, &member, &err),
                 STATUS_CORRUPT);
}
