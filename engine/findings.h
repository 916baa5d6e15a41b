/* What a database lacks, or brings along, for taking part: for `init` to say, each with
 * what its administrator may run. Plain data. */
#ifndef ENGINE_FINDINGS_H
#define ENGINE_FINDINGS_H

#include "log/error.h"

#include <stddef.h>

enum finding_severity {
    FINDING_REFUSAL, /* without it, init refuses */
    FINDING_NOTE,    /* good to know */
    FINDING_LEFT_OUT /* the same, of a table that the catalog says it skips */
};

struct finding {
    enum finding_severity severity;
    char *text; /* owned; one line */
    char
        *sql; /* owned; one statement without its semicolon that changes it; NULL: none */
};

/* All zeroes is none. */
struct findings {
    struct finding *list; /* owned; refusals first, else as they were found */
    size_t count;
};

void findings_release(struct findings *findings);
bool findings_refuse(const struct findings *findings);

/* Add one; takes text and sql, which are malloc's, also after a failure. sql may be NULL;
 * text NULL is NO_MEMORY. */
MUST_CHECK enum status findings_add(struct findings *findings,
                                    enum finding_severity severity, char *text, char *sql,
                                    struct error *err);

#endif
