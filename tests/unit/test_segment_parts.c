/* The bytes of what segments and state files are made of: golden, round trip, refusals.
 */
#include "log/acknowledgement.h"
#include "log/sealing.h"
#include "log/segment_ranges.h"
#include "log/signing.h"
#include "ship/folder_files.h"
#include "ship/folder_state.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* ---- ranges */

/* Two origins: 1 from 0 to 3; 2 from 5 to 6, whose chain's hash at 5 is 32 times 0xaa. */
static const uint8_t golden_ranges[] = {2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3,
                                        0, 0, 0, 0, 0, 0, 0, 2, 5, 1};

static enum status recode_ranges(struct bytes in, struct buffer *out, struct error *error)
{
    struct segment_ranges ranges;
    enum status status;

    segment_ranges_init(&ranges);
    status = segment_ranges_take(&in, &ranges, false, error);
    if (status == STATUS_OK)
        segment_ranges_put(out, &ranges, false);
    segment_ranges_release(&ranges);
    if (status == STATUS_OK && in.size > 0)
        return error_set(error, STATUS_CORRUPT, "too long");
    return status;
}

Test(segment_ranges, have_one_form)
{
    recode_expect_canonical((struct bytes){golden_ranges, sizeof golden_ranges},
                            recode_ranges);
}

Test(segment_ranges, carry_a_hash_where_a_chain_goes_on)
{
    uint8_t golden[sizeof golden_ranges + HASH_SIZE];
    struct bytes in = {golden, sizeof golden};
    struct segment_ranges ranges;

    memcpy(golden, golden_ranges, sizeof golden_ranges);
    memset(golden + sizeof golden_ranges, 0xaa, HASH_SIZE);
    segment_ranges_init(&ranges);
    OK(segment_ranges_take(&in, &ranges, true, &err));
    cr_expect_eq(in.size, 0);
    cr_expect_eq(ranges.items[1].hash[31], 0xaa);
    cr_expect_eq(ranges.items[0].hash[31], 0);
    in = (struct bytes){golden, sizeof golden - 1};
    cr_expect_eq(segment_ranges_take(&in, &ranges, true, &err), STATUS_CORRUPT);
    segment_ranges_release(&ranges);
}

Test(segment_ranges, say_who_can_use_them)
{
    struct bytes in = {golden_ranges, sizeof golden_ranges};
    struct version_vector vector;
    struct segment_ranges ranges;

    version_vector_init(&vector);
    segment_ranges_init(&ranges);
    OK(segment_ranges_take(&in, &ranges, false, &err));
    cr_expect_eq(segment_ranges_entries(&ranges), 4);
    cr_expect_not(segment_ranges_ready(&ranges, &vector));
    OK(version_vector_set(&vector, 2, 5, &err));
    cr_expect(segment_ranges_ready(&ranges, &vector));
    cr_expect_not(segment_ranges_known(&ranges, &vector));
    OK(version_vector_set(&vector, 1, 9, &err));
    OK(segment_ranges_raise(&ranges, &vector, &err));
    cr_expect(segment_ranges_known(&ranges, &vector));
    cr_expect_eq(version_vector_get(&vector, 1), 9, "never lowered");
    cr_expect_eq(version_vector_get(&vector, 2), 6);
    version_vector_release(&vector);
    segment_ranges_release(&ranges);
}

/* ---- acknowledgements */

/* Of node 2, format 1: it has 3 entries of its own, has applied 4 of node 1's and
 * holds 5. */
static const uint8_t
    golden_ack
        [] =
            {
                1, 1,                         /* format, formats_max */
                0, 0, 0, 0, 0, 0, 0, 2, 3,    /* node, last_own_seq */
                2, 0, 0, 0, 0, 0, 0, 0, 1, 4, /* context */
                0, 0, 0, 0, 0, 0, 0, 2, 3, 2, 0, 0, 0, 0, 0, 0, 0, 1, 5, /* holds */
                0, 0, 0, 0, 0, 0, 0, 2, 3, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                7, /* signature
                    */
                7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
};

static enum status recode_ack(struct bytes in, struct buffer *out, struct error *error)
{
    struct acknowledgement ack;
    enum status status;

    acknowledgement_init(&ack);
    status = acknowledgement_take(&in, &ack, error);
    if (status == STATUS_OK)
        acknowledgement_put(out, &ack);
    acknowledgement_release(&ack);
    if (status == STATUS_OK && in.size > 0)
        return error_set(error, STATUS_CORRUPT, "too long");
    return status;
}

Test(acknowledgement, has_one_form)
{
    recode_expect_canonical((struct bytes){golden_ack, sizeof golden_ack}, recode_ack);
}

static void take_ack(struct acknowledgement *ack)
{
    struct bytes in = {golden_ack, sizeof golden_ack};

    acknowledgement_init(ack);
    OK(acknowledgement_take(&in, ack, &err));
}

Test(acknowledgement, is_newer_when_it_says_more)
{
    struct acknowledgement a, b;

    take_ack(&a);
    take_ack(&b);
    cr_expect_not(acknowledgement_is_newer(&a, &b));
    OK(version_vector_set(&a.holds, 1, 6, &err));
    cr_expect(acknowledgement_is_newer(&a, &b));
    cr_expect_not(acknowledgement_is_newer(&b, &a));
    OK(version_vector_set(&b.context, 1, 5, &err));
    cr_expect_not(acknowledgement_is_newer(&a, &b), "neither is larger");
    acknowledgement_release(&a);
    acknowledgement_release(&b);
}

Test(acknowledgement, is_signed_by_its_node_for_its_fleet)
{
    struct identity identity = {.node = 2, .key_generation = 1};
    struct bytes content = {golden_ack, sizeof golden_ack - SIGNATURE_SIZE};
    uint8_t fleet[FLEET_ID_SIZE] = {0};
    struct acknowledgement ack;
    bool right = false;

    cr_assert_eq(crypto_sign_keypair(identity.public_key, identity.secret_key), 0);
    take_ack(&ack);
    signing_acknowledgement(ack.signature, &identity, content);
    OK(acknowledgement_check(&ack, fleet, identity.public_key, &right, &err));
    cr_expect(right);
    ack.formats_max++;
    OK(acknowledgement_check(&ack, fleet, identity.public_key, &right, &err));
    cr_expect_not(right);
    ack.formats_max--;
    fleet[0] = 1;
    OK(acknowledgement_check(&ack, fleet, identity.public_key, &right, &err));
    cr_expect_not(right);
    acknowledgement_release(&ack);
}

Test(signing, of_a_head_is_for_this_entry_alone)
{
    struct identity identity = {.node = 2, .key_generation = 1};
    uint8_t hash[HASH_SIZE] = {9}, other[HASH_SIZE] = {8};
    uint8_t signature[SIGNATURE_SIZE];
    const uint8_t *key = identity.public_key;

    cr_assert_eq(crypto_sign_keypair(identity.public_key, identity.secret_key), 0);
    signing_head(signature, &identity, 7, hash);
    cr_expect(signing_head_is_right(signature, identity.fleet, key, 2, 7, hash));
    cr_expect_not(signing_head_is_right(signature, identity.fleet, key, 2, 8, hash));
    cr_expect_not(signing_head_is_right(signature, identity.fleet, key, 3, 7, hash));
    cr_expect_not(signing_head_is_right(signature, identity.fleet, key, 2, 7, other));
}

/* ---- state files */

static void make_state(struct folder_state *state)
{
    struct bytes in = {golden_ranges, sizeof golden_ranges};
    struct segment_ranges ranges;

    folder_state_init(state);
    segment_ranges_init(&ranges);
    state->node = 2;
    memcpy(state->name, "boat", 5);
    take_ack(&state->ack);
    OK(segment_ranges_take(&in, &ranges, false, &err));
    OK(folder_state_list(state, 1, 300, &ranges, &err));
    OK(folder_state_list(state, 4, 200, &ranges, &err));
    segment_ranges_release(&ranges);
}

static enum status recode_state(struct bytes in, struct buffer *out, struct error *error)
{
    struct folder_state state;
    enum status status;

    folder_state_init(&state);
    status = folder_state_decode(in, &state, error);
    if (status == STATUS_OK)
        folder_state_encode(out, &state);
    folder_state_release(&state);
    return status;
}

Test(folder_state, has_one_form)
{
    struct buffer golden = {0};
    struct folder_state state;

    buffer_put(&golden, 2, 8);
    buffer_put_sized(&golden, bytes_of_text("boat"));
    buffer_put_sized(&golden, (struct bytes){golden_ack, sizeof golden_ack});
    buffer_put(&golden, 2, 1);
    buffer_put(&golden, 1, 1);
    buffer_put(&golden, 0xac02, 2); /* 300 */
    buffer_put_bytes(&golden, (struct bytes){golden_ranges, sizeof golden_ranges});
    buffer_put(&golden, 4, 1);
    buffer_put(&golden, 0xc801, 2); /* 200 */
    buffer_put_bytes(&golden, (struct bytes){golden_ranges, sizeof golden_ranges});
    recode_expect_canonical(buffer_view(&golden), recode_state);

    make_state(&state);
    {
        struct buffer encoded = {0};

        folder_state_encode(&encoded, &state);
        cr_expect(bytes_equal(buffer_view(&encoded), buffer_view(&golden)));
        buffer_release(&encoded);
    }
    folder_state_release(&state);
    buffer_release(&golden);
}

/* ---- seals */

static const char content[] = "what the folder may not see";

static struct identity sealing_identity(void)
{
    struct identity identity = {.node = 2, .key_generation = 3};

    memset(identity.fleet, 1, sizeof identity.fleet);
    memset(identity.fleet_key, 2, sizeof identity.fleet_key);
    return identity;
}

static enum status open_seal(struct bytes sealed, enum seal_kind kind,
                             enum refusal *refusal)
{
    struct identity identity = sealing_identity();
    struct buffer out = {0};
    enum status status = seal_take(sealed, kind, &identity, "x", &out, refusal, &err);

    if (status == STATUS_OK)
        cr_expect(bytes_equal(buffer_view(&out), bytes_of_text(content)));
    buffer_release(&out);
    return status;
}

Test(seal, header_is_the_golden_bytes)
{
    struct identity identity = sealing_identity();
    uint8_t nonce[SEAL_NONCE_SIZE], header[SEAL_HEADER_SIZE];
    uint8_t golden[SEAL_HEADER_SIZE] = {'R', 'F', 'S', 'G', 0, 1};

    memset(nonce, 5, sizeof nonce);
    memset(golden + 6, 1, 16);
    golden[25] = 3;
    memset(golden + 26, 5, 24);
    cr_assert_eq(crypto_generichash(golden + 50, 16, golden, 50, NULL, 0), 0);
    seal_header_encode(header, SEAL_SEGMENT, &identity, nonce);
    cr_expect_arr_eq(header, golden, sizeof golden);
}

Test(seal, tells_cut_from_altered_and_hides_its_content)
{
    struct identity identity = sealing_identity();
    struct buffer sealed = {0};
    enum refusal refusal;

    OK(seal_put(&sealed, SEAL_STATE, &identity, bytes_of_text(content), &err));
    cr_expect_null(memmem(sealed.data, sealed.size, "folder", 6));
    cr_expect_eq(open_seal(buffer_view(&sealed), SEAL_STATE, &refusal), STATUS_OK);
    for (size_t size = 0; size < sealed.size; size++) {
        cr_expect_eq(open_seal((struct bytes){sealed.data, size}, SEAL_STATE, &refusal),
                     STATUS_REFUSED);
        cr_expect_eq(refusal, size == 0 ? REFUSAL_BLANK : REFUSAL_CUT, "%zu bytes: %s",
                     size, err.text);
    }
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.data[i] ^= 4;
        cr_expect_eq(open_seal(buffer_view(&sealed), SEAL_STATE, &refusal),
                     STATUS_REFUSED, "byte %zu", i);
        sealed.data[i] ^= 4;
    }
    buffer_put(&sealed, 0, 1);
    cr_expect_eq(open_seal(buffer_view(&sealed), SEAL_STATE, &refusal), STATUS_REFUSED);
    cr_expect_eq(refusal, REFUSAL_ALTERED);
    cr_expect_eq(open_seal(buffer_view(&sealed), SEAL_SEGMENT, &refusal), STATUS_REFUSED);
    cr_expect_eq(refusal, REFUSAL_ALIEN);
    buffer_release(&sealed);
}

/* ---- names */

Test(folder_files, names_are_read_as_they_are_written)
{
    static const struct {
        const char *text;
        bool ours;
        enum folder_kind kind;
        uint64_t number;
    } cases[] = {
        {"00000000000000ab-00000007.rfseg",             true,  FOLDER_SEGMENT,   7        },
        {"00000000000000ab-123456789.rfseg",            true,  FOLDER_SEGMENT,   123456789},
        {"00000000000000ab.rfstate",                    true,  FOLDER_STATE,     0        },
        {".00000000000000ab-00000007.rfseg.tmp",        true,  FOLDER_TEMPORARY, 7        },
        {".00000000000000ab.rfstate.tmp",               true,  FOLDER_TEMPORARY, 0        },
        {"00000000000000AB.rfstate",                    false, FOLDER_STATE,     0        },
        {"00000000000000ab.rfstate~",                   false, FOLDER_STATE,     0        },
        {"00000000000000ab.rfstate.tmp",                false, FOLDER_STATE,     0        },
        {".00000000000000ab.rfstate",                   false, FOLDER_STATE,     0        },
        {"00000000000000ab-7.rfseg",                    false, FOLDER_SEGMENT,   0        },
        {"00000000000000ab-00000000.rfseg",             false, FOLDER_SEGMENT,   0        },
        {"00000000000000ab-000000007.rfseg",            false, FOLDER_SEGMENT,   0        },
        {"00000000000000ab-99999999999999999999.rfseg", false, FOLDER_SEGMENT,   0        },
        {"0000000000000000.rfstate",                    false, FOLDER_STATE,     0        },
        {"ab.rfstate",                                  false, FOLDER_STATE,     0        },
        {"",                                            false, FOLDER_STATE,     0        },
        {".",                                           false, FOLDER_STATE,     0        },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct folder_name name;
        char again[FOLDER_NAME_SIZE];

        cr_expect_eq(folder_name_read(cases[i].text, &name), cases[i].ours, "%s",
                     cases[i].text);
        if (!cases[i].ours || !folder_name_read(cases[i].text, &name))
            continue;
        cr_expect_eq(name.kind, cases[i].kind, "%s", cases[i].text);
        cr_expect_eq(name.node, 0xab);
        cr_expect_eq(name.number, cases[i].number, "%s", cases[i].text);
        if (name.kind == FOLDER_SEGMENT) {
            folder_segment_name(name.node, name.number, again);
            cr_expect_str_eq(again, cases[i].text);
        }
    }
}
