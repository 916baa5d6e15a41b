/* What a node really has, compared with what the oracle says. */
#ifndef TESTS_SIMULATION_OBSERVE_H
#define TESTS_SIMULATION_OBSERVE_H

#include "tests/simulation/oracle.h"
#include "tests/support/fleet.h"

#include <stdio.h>

/* The rows of the database, live and values. */
void observe_rows(struct fleet_node *node, const struct model_schema *schema,
                  struct model_rows *out);

/* The store's vector in the oracle's numbering. */
struct oracle_vector observe_vector(const struct oracle *oracle,
                                    const struct version_vector *vector);
void observe_to_vector(const struct oracle *oracle, const struct oracle_vector *from,
                       struct version_vector *out);

uint64_t observe_clock(struct fleet_node *node);

/* Vector, clock, row index and conflict records against the oracle. False: the
 * differences are written to report, each a line. */
bool observe_store(const struct oracle *oracle, int number, struct fleet_node *node,
                   FILE *report);

/* The database's rows against what the oracle says that it holds. */
bool observe_database(const struct oracle *oracle, int number, struct fleet_node *node,
                      FILE *report);

/* `diff`: nothing differs, and as many rows are parked as the oracle says. */
bool observe_diff(const struct oracle *oracle, int number, struct fleet_node *node,
                  FILE *report);

#endif
