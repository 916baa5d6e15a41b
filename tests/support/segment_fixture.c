#include "tests/support/segment_fixture.h"

struct log_fixture fixture;
struct log_node *a, *b, *c;
struct error err;

void segment_set_up(void)
{
    log_fixture_open(&fixture, 3);
    a = &fixture.nodes[0];
    b = &fixture.nodes[1];
    c = &fixture.nodes[2];
}

void segment_tear_down(void)
{
    log_fixture_close(&fixture);
}

struct buffer segment_of_three(void)
{
    log_write(a, 1, "one", "eins");
    return segment_of(a, NULL, 0);
}
