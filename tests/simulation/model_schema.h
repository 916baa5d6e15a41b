/* The tables of the simulation, as data: what the generator writes, and what the oracle's
 * rule of what is shown reads. Every column but the key holds a small number or NULL; a
 * text column holds the letter of that number. */
#ifndef TESTS_SIMULATION_MODEL_SCHEMA_H
#define TESTS_SIMULATION_MODEL_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_TABLES_MAX = 3,
    MODEL_COLUMNS_MAX = 4,
    MODEL_UNIQUES_MAX = 2,
    MODEL_KEYS = 6, /* keys are 1..MODEL_KEYS */
    MODEL_NULL = -1,
};

struct model_column {
    const char *name;
    bool is_text;
    bool no_case;
    int parent; /* table that it refers to by its id; -1: none */
    int values; /* it holds 0..values-1 (a reference: 1..MODEL_KEYS) */
};

struct model_unique {
    unsigned columns; /* bit i: columns[i] */
    int above;        /* partial: claims only where the first column is greater */
};

struct model_table {
    const char *name;
    struct model_column columns[MODEL_COLUMNS_MAX];
    int column_count;
    struct model_unique uniques[MODEL_UNIQUES_MAX];
    int unique_count;
    int group; /* parents have smaller numbers */
};

struct model_schema {
    const char *name;
    const char *sql;
    struct model_table tables[MODEL_TABLES_MAX]; /* ascending by name */
    int table_count;
};

enum { MODEL_SCHEMAS = 2 };
extern const struct model_schema model_schemas[MODEL_SCHEMAS];

/* The text of a text column's number. */
const char *model_text(int value);

/* The number of a text; -2 when it is none of ours. */
int model_number(const char *text);

#endif
