/* What the tests of segments share: three stores of one fleet, and the segment of the
 * first. Only they include this: its names are short. */
#ifndef TESTS_SUPPORT_SEGMENT_FIXTURE_H
#define TESTS_SUPPORT_SEGMENT_FIXTURE_H

#include "tests/support/segment_file.h"

extern struct log_fixture fixture;
extern struct log_node *a, *b, *c; /* its nodes */
extern struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* .init and .fini of their suites. */
void segment_set_up(void);
void segment_tear_down(void);

/* a's three entries, the third of them written here, as a segment. Release it. */
struct buffer segment_of_three(void);

#endif
