#include "engine/postgres_default.h"

#include <criterion/criterion.h>

Test(postgres_default, what_calls_nothing_is_a_constant)
{
    static const struct {
        const char *sql;
        bool constant;
    } cases[] = {
        {"0",                                            true },
        {"-1.50",                                        true },
        {"'-5'::integer",                                true },
        {"(-5)",                                         true },
        {"('-5'::integer)::numeric(10,2)",               true },
        {"NULL::character varying",                      true },
        {"true",                                         true },
        {"'it''s ::text'::text",                         true },
        {"''::\"Odd \"\"type\".x",                       true },
        {"'{}'::text[]",                                 true },
        {"'a'::character varying(5)[]",                  true },
        {"'x'::public.größe",                          true },
        {"'2024-01-01'::timestamp(3) without time zone", true },
        {"",                                             false},
        {"'now'::text",                                  true },
        {"('now'::text)::date",                          false},
        {"('Today'::text)::timestamp with time zone",    false},
        {"now()",                                        false},
        {"CURRENT_TIMESTAMP",                            false},
        {"nextval('s'::regclass)",                       false},
        {"'a'::text || 'b'::text",                       false},
        {"('a'::text || f())",                           false},
        {"f('a'::text)",                                 false},
        {"1 + 1",                                        false},
        {"true_story()",                                 false},
        {"true()",                                       false},
        {"'a'::text = ANY (f())",                        false},
        {"'a",                                           false},
        {"'a'::",                                        false},
        {"'a'::x(f())",                                  false},
        {"((1)",                                         false},
        {"(1))",                                         false},
        {"ARRAY[1]",                                     false},
        {"((((((((((((((((((1))))))))))))))))))",        false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(postgres_default_is_constant(cases[i].sql), cases[i].constant, "%s",
                     cases[i].sql);
}
