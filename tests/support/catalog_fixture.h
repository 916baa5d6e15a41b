/* A cluster of its own, what its catalog is read as, and that as text. */
#ifndef TESTS_SUPPORT_CATALOG_FIXTURE_H
#define TESTS_SUPPORT_CATALOG_FIXTURE_H

#include "engine/postgres_catalog.h"
#include "log/buffer.h"
#include "tests/support/postgres_fixture.h"

extern struct cluster pg_cluster;
extern struct postgres *pg_session; /* the superuser's */
extern struct catalog pg_catalog;
extern struct table_rules pg_rules;
extern struct error pg_err;
extern struct buffer pg_text; /* what was described last */

/* A TestSuite's .init and .fini. */
void catalog_set_up(void);
void catalog_tear_down(void);

void pg_execute(const char *sql);

/* Begin a transaction and run statements in the schema public. */
void pg_begin(const char *sql);

enum status pg_read_catalog(void);

/* Each table "name = local name: columns", a line for each constraint, and what was left
 * out "- name: why". */
const char *pg_described(void);

#endif
