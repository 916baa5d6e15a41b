/* One schema with every kind of constraint that parks rows, and the rule from scratch
 * about it: t two unique constraints (two columns; partial, of an expression), k keys
 * that are one to the engine, s refers to itself, a and b to each other, c to p twice, g
 * to c. */
#ifndef TESTS_SUPPORT_PARKING_SCHEMA_H
#define TESTS_SUPPORT_PARKING_SCHEMA_H

#include "tests/support/apply_fixture.h"
#include "tests/support/shown_rule.h"

enum { PARKING_TABLES = 8, PARKING_COLUMNS = 4 };

struct parking_table {
    const char *name;
    const char *columns[PARKING_COLUMNS]; /* after id; a name with a ' is text */
};

extern const struct parking_table parking_tables[PARKING_TABLES];
extern const char parking_schema[];
extern const char parking_schema_free[]; /* the same tables without constraints */

/* Expect a node with the schema to show what the rule says of its store's winners, and to
 * have parked all others. where: for the message. */
void parking_compare(struct apply_node *node, const char *where);

#endif
