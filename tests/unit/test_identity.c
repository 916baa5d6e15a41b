#include "log/identity.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct error err;

/* Of a fleet whose id is 16 bytes 01 and whose key, of generation 1, is 32 bytes 02. */
static const char golden[] =
    "rowferry-join-1:"
    "AQEBAQEBAQEBAQEBAQEBAQAAAAECAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg:271099ef";

static struct identity known(void)
{
    struct identity identity = {.node = 7, .key_generation = 1};

    memset(identity.fleet, 1, sizeof identity.fleet);
    memset(identity.fleet_key, 2, sizeof identity.fleet_key);
    return identity;
}

Test(identity, makes_nodes_that_share_nothing)
{
    struct identity a, b;

    cr_assert_eq(identity_make(&a, "boat", &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(identity_make(&b, "boat", &err), STATUS_OK, "%s", err.text);
    cr_expect_str_eq(a.name, "boat");
    cr_expect_eq(a.key_generation, 1);
    cr_expect_neq(a.node, 0);
    cr_expect_neq(a.node, b.node);
    cr_expect_neq(a.incarnation, b.incarnation);
    cr_expect(memcmp(a.fleet, b.fleet, sizeof a.fleet) != 0);
    cr_expect(memcmp(a.fleet_key, b.fleet_key, sizeof a.fleet_key) != 0);
    cr_expect(memcmp(a.public_key, b.public_key, sizeof a.public_key) != 0);
}

Test(identity, refuses_a_name_that_breaks_a_line)
{
    static char longest[NODE_NAME_MAX + 2];
    struct identity identity;

    cr_expect_eq(identity_make(&identity, "", &err), STATUS_USAGE);
    cr_expect_eq(identity_make(&identity, "a\nb", &err), STATUS_USAGE);
    cr_expect_eq(identity_make(&identity, "a\x7f", &err), STATUS_USAGE);
    cr_expect_eq(identity_make(&identity, "a\xff", &err), STATUS_USAGE);
    memset(longest, 'n', NODE_NAME_MAX + 1);
    cr_expect_eq(identity_make(&identity, longest, &err), STATUS_USAGE);
    longest[NODE_NAME_MAX] = '\0';
    cr_expect_eq(identity_make(&identity, longest, &err), STATUS_OK, "%s", err.text);
}

Test(identity, ranks_a_founder_above_all_that_join)
{
    struct identity low = {.node = 1}, high = {.node = UINT64_MAX - 1};

    identity_rank(&low, true);
    identity_rank(&high, false);
    cr_expect_eq(low.node, UINT64_C(0x8000000000000001));
    cr_expect_eq(high.node, UINT64_C(0x7ffffffffffffffe));
    identity_rank(&low, true);
    cr_expect_eq(low.node, UINT64_C(0x8000000000000001), "ranked again");
    low.node = UINT64_C(1) << 63;
    identity_rank(&low, false);
    cr_expect_neq(low.node, 0);
}

Test(token, is_the_golden_line)
{
    struct identity identity = known();
    char text[TOKEN_TEXT_SIZE];

    token_text(&identity, text);
    cr_expect_str_eq(text, golden);
}

Test(token, gives_fleet_and_key_to_a_new_node)
{
    struct identity from = known();
    struct identity to = {.node = 9};
    char text[TOKEN_TEXT_SIZE + 8];

    (void)snprintf(text, sizeof text, " \t%s\r\n", golden);
    cr_assert_eq(token_read(&to, text, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(to.node, 9);
    cr_expect_eq(to.key_generation, 1);
    cr_expect_arr_eq(to.fleet, from.fleet, sizeof to.fleet);
    cr_expect_arr_eq(to.fleet_key, from.fleet_key, sizeof to.fleet_key);
}

Test(token, refuses_each_changed_or_missing_character)
{
    struct identity to = {0};
    char text[sizeof golden];

    for (size_t i = 0; i < sizeof golden - 1; i++) {
        memcpy(text, golden, sizeof golden);
        text[i] = text[i] == '9' ? '8' : '9';
        cr_expect_eq(token_read(&to, text, &err), STATUS_REFUSED, "character %zu", i);
        text[i] = '\0';
        cr_expect_eq(token_read(&to, text, &err), STATUS_REFUSED, "cut at %zu", i);
    }
    cr_expect_eq(to.key_generation, 0, "nothing of it was taken");
    cr_expect_eq(to.fleet_key[0], 0);
}

Test(token, says_what_it_got_instead)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"",                                    "not a token"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----", "not a token"},
        {"rowferry-join-2:whatever",            "version 2"  },
        {"rowferry-join-1:short:00000000",      "cut"        },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct identity to = {0};

        cr_expect_eq(token_read(&to, cases[i].text, &err), STATUS_REFUSED);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s: %s", cases[i].text,
                           err.text);
    }
}
