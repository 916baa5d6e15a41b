/* How init says what a server lacks, or brings along. */
#ifndef CLI_INIT_FINDINGS_H
#define CLI_INIT_FINDINGS_H

#include "cli/json.h"
#include "node/node.h"

void init_findings_print(const struct findings *findings);
/* Whether they name the tables that are left out. */
bool init_findings_left_out(const struct findings *findings);
/* Only the statements, one a line, for psql. */
void init_findings_print_sql(const struct findings *findings);
json_t *init_findings_json(const struct findings *findings);

/* OK, or of a check that found what init would refuse: REFUSED, counted. */
MUST_CHECK enum status init_findings_status(const struct findings *findings,
                                            struct error *err);

#endif
