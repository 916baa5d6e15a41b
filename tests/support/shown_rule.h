/* What a database shows (DESIGN section 7), from scratch: model/parking.py in C, for
 * tests. It knows nothing of SQL: rows come with what they claim, provide and refer to as
 * texts. */
#ifndef TESTS_SUPPORT_SHOWN_RULE_H
#define TESTS_SUPPORT_SHOWN_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "log/version.h"

enum { RULE_TEXTS_MAX = 4, RULE_TEXT_MAX = 48, RULE_ROWS_MAX = 400 };

struct rule_row {
    struct version born;
    char name[RULE_TEXT_MAX]; /* table and key, for people and for finding it */
    char claims[RULE_TEXTS_MAX][RULE_TEXT_MAX];   /* unique values; "": none */
    char provides[RULE_TEXTS_MAX][RULE_TEXT_MAX]; /* what children may refer to */
    char refers[RULE_TEXTS_MAX][RULE_TEXT_MAX];   /* "": to nothing */
    char content[2 * RULE_TEXT_MAX];              /* for the caller */
    unsigned refers_group[RULE_TEXTS_MAX];        /* the parent's group */
    unsigned group;                               /* parents' groups are smaller */
    bool shown;                                   /* set by rule_decide() */
    bool placed;
    bool candidate;
};

/* Decide for all rows; they are sorted by birth. */
void rule_decide(struct rule_row *rows, size_t count);

#endif
