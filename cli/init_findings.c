#include "cli/init_findings.h"

#include "cli/print.h"

#include <stdio.h>

static bool is_refusal(const struct finding *finding)
{
    return finding->severity == FINDING_REFUSAL;
}

static void print_some(const struct findings *findings, bool refusals, const char *title)
{
    bool any = false;

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];

        if (is_refusal(finding) != refusals)
            continue;
        if (!any)
            (void)puts(title);
        any = true;
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(finding->text));
        (void)fputc('\n', stdout);
        if (finding->sql != NULL) {
            (void)fputs("        ", stdout);
            print_plain(stdout, bytes_of_text(finding->sql));
            (void)puts(";");
        }
    }
}

void init_findings_print(const struct findings *findings)
{
    print_some(findings, true, "lacking, so that init would refuse:");
    print_some(findings, false, "to know:");
}

bool init_findings_left_out(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].severity == FINDING_LEFT_OUT)
            return true;
    return false;
}

void init_findings_print_sql(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].sql != NULL)
            (void)printf("%s;\n", findings->list[i].sql);
}

json_t *init_findings_json(const struct findings *findings)
{
    json_t *list = json_make_array();

    for (size_t i = 0; i < findings->count; i++) {
        json_t *entry = json_make_object();

        json_put_bool(entry, "refuses", is_refusal(&findings->list[i]));
        json_put_text(entry, "text", findings->list[i].text);
        if (findings->list[i].sql != NULL)
            json_put_text(entry, "sql", findings->list[i].sql);
        json_append(list, entry);
    }
    return list;
}

enum status init_findings_status(const struct findings *findings, struct error *err)
{
    size_t refusals = 0;

    for (size_t i = 0; i < findings->count; i++)
        refusals += is_refusal(&findings->list[i]);
    if (refusals == 0)
        return STATUS_OK;
    return error_set(err, STATUS_REFUSED, "%zu finding%s for which init would refuse",
                     refusals, refusals == 1 ? "" : "s");
}
