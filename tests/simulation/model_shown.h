/* What a database shows (DESIGN section 7), from scratch: the same rule as the product's,
 * in code of its own. */
#ifndef TESTS_SIMULATION_MODEL_SHOWN_H
#define TESTS_SIMULATION_MODEL_SHOWN_H

#include "tests/simulation/model_schema.h"

#include <stddef.h>

struct model_version {
    uint64_t stamp_us;
    uint64_t origin;
    uint64_t seq;
    uint32_t place;
};

int model_version_compare(const struct model_version *a, const struct model_version *b);

/* A row, by its table and key, or its absence. */
struct model_row {
    bool live;
    int16_t values[MODEL_COLUMNS_MAX];
    struct model_version version; /* all zero: there never was one */
    struct model_version born;
};

/* Every row there can be: rows[table][key - 1]. */
struct model_rows {
    struct model_row rows[MODEL_TABLES_MAX][MODEL_KEYS];
};

enum model_fate {
    FATE_DEAD, /* not live */
    FATE_SHOWN,
    FATE_TAKEN,        /* an earlier born row has one of its unique values */
    FATE_ORPHAN_OUTER, /* a parent outside of its group is not shown */
    FATE_ORPHAN_INNER, /* placed, hidden since a parent in its group is not shown */
};

struct model_fates {
    enum model_fate of[MODEL_TABLES_MAX][MODEL_KEYS];
};

void model_shown(const struct model_schema *schema, const struct model_rows *rows,
                 struct model_fates *out);

/* Both dead, or both live with the same values. */
bool model_same_content(const struct model_row *a, const struct model_row *b,
                        int columns);

#endif
