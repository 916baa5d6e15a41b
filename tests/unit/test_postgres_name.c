#include "engine/postgres_name.h"
#include "engine/table_names.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(postgres_name, plain_is_without_quotes_and_without_public)
{
    static const struct {
        const char *local, *plain;
    } cases[] = {
        {"public.t",                "t"              },
        {"app.t",                   "app.t"          },
        {"public.\"T\"",            "T"              },
        {"\"My App\".\"a\"\"b\"",   "My App.a\"b"    },
        {"public.\"a.b\"",          "a.b"            },
        {"public.\"public.t\"",     "public.t"       },
        {"public.\"\"\"\"",         "\""             },
        {"publicity.\"\"\"x\"\"\"", "publicity.\"x\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer plain = {0};

        postgres_put_plain_name(&plain, cases[i].local);
        buffer_put(&plain, 0, 1);
        cr_expect_str_eq((const char *)plain.data, cases[i].plain);
        cr_expect(postgres_name_is(cases[i].local, cases[i].local));
        if (i != 5)
            cr_expect(postgres_name_is(cases[i].local, cases[i].plain), "%s",
                      cases[i].local);
        buffer_release(&plain);
    }
}

Test(postgres_name, is_said_with_or_without_public_and_quotes)
{
    static const struct {
        const char *local, *said;
        bool is;
    } cases[] = {
        {"public.t",            "public.t",        true },
        {"public.t",            "T",               false},
        {"public.\"T\"",        "T",               true },
        {"public.\"T\"",        "\"T\"",           true },
        {"public.\"T\"",        "public.T",        true },
        {"public.t",            "app.t",           false},
        {"app.t",               "t",               false},
        {"app.t",               "app.t",           true },
        {"app.t",               "app.t2",          false},
        {"app.t2",              "app.t",           false},
        {"public.\"public.t\"", "public.t",        false},
        {"public.\"public.t\"", "public.public.t", true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(postgres_name_is(cases[i].local, cases[i].said), cases[i].is,
                     "%s, said %s", cases[i].local, cases[i].said);
}

Test(postgres_name, rules_find_postgres_tables_by_case)
{
    struct table_rules rules = {.postgres = true};
    struct table_rule *rule = NULL;
    struct error err;
    bool wanted = false;

    cr_assert_eq(table_rules_add(&rules, "Orders", &rule, &err), STATUS_OK);
    rule->direction = TABLE_IN;
    cr_assert_eq(table_rules_add(&rules, "orders", &rule, &err), STATUS_OK);
    rule->direction = TABLE_OUT;
    cr_assert_eq(table_rules_set(&rules.only, "public.orders, app.x", &err), STATUS_OK);
    cr_expect_eq(rules.count, 2);
    cr_expect_eq(table_rules_direction(&rules, "public.\"Orders\""), TABLE_IN);
    cr_expect_eq(table_rules_direction(&rules, "public.orders"), TABLE_OUT);
    cr_expect_eq(table_rules_direction(&rules, "app.orders"), TABLE_BOTH);
    cr_assert_eq(table_rules_wants(&rules, "public.orders", &wanted, &err), STATUS_OK);
    cr_expect(wanted);
    cr_assert_eq(table_rules_wants(&rules, "public.\"Orders\"", &wanted, &err),
                 STATUS_OK);
    cr_expect_not(wanted);
    table_rules_release(&rules);
}

Test(postgres_name, the_fleet_knows_tables_by_their_plain_names)
{
    static const char *const tables[] = {"public.t", "app.\"T\"", "public.\"T\""};
    static const char *const clashing[] = {"public.\"a.b\"", "a.b"};
    struct table_rules rules = {.postgres = true};
    struct table_names names;
    struct error err;

    cr_assert_eq(table_names_match(&names, tables, 3, &rules, NULL, &err), STATUS_OK);
    cr_expect_str_eq(names.list[0].name, "t");
    cr_expect_str_eq(names.list[1].name, "app.T");
    cr_expect_str_eq(names.list[2].name, "T");
    cr_expect_str_eq(table_names_of(&names, "app.\"T\"", "app.T"), "app.T");
    cr_expect_str_eq(table_names_of(&names, "app.u", "app.u"), "app.u");
    cr_expect_null(table_names_of(&names, "x.\"T\"", "T"));
    table_names_release(&names);
    cr_expect_eq(table_names_match(&names, clashing, 2, &rules, NULL, &err),
                 STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "would both be a.b to the fleet"), "%s",
                       err.text);
}
