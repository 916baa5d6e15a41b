#include "engine/findings.h"

#include "engine/catalog.h"

#include <stdlib.h>
#include <string.h>

void findings_release(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->list[i].text);
        free(findings->list[i].sql);
    }
    free(findings->list);
    *findings = (struct findings){0};
}

bool findings_refuse(const struct findings *findings)
{
    return findings->count > 0 && findings->list[0].severity == FINDING_REFUSAL;
}

enum status findings_add(struct findings *findings, enum finding_severity severity,
                         char *text, char *sql, struct error *err)
{
    struct finding *list = catalog_grow(findings->list, findings->count, sizeof *list);
    size_t at = findings->count;

    if (list != NULL)
        findings->list = list;
    if (list == NULL || text == NULL) {
        free(text);
        free(sql);
        return error_set(err, STATUS_NO_MEMORY, "check: out of memory");
    }
    for (; severity == FINDING_REFUSAL && at > 0; at--) {
        if (list[at - 1].severity == FINDING_REFUSAL)
            break;
        list[at] = list[at - 1];
    }
    list[at] = (struct finding){severity, text, sql};
    findings->count++;
    return STATUS_OK;
}
