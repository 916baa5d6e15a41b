/* rowferry init: make a node, its store, and a fleet or a place in one. */
#include "cli/commands.h"
#include "cli/first_sync.h"
#include "cli/init_findings.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "cli/report.h"
#include "node/node.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Places in the table of parameters below. */
enum {
    NAME,
    TABLES,
    CHECK,
    JOIN,
    CREATE_TABLES,
    TAKE_OVER,
    IDS,
    SETTINGS,
    PREFER,
    FROM,
    PRINT_SQL,
    SLOT,
    PUBLICATION,
};

static const char *const direction_words[] = {
    [TABLE_BOTH] = "both",
    [TABLE_IN] = "in",
    [TABLE_OUT] = "out",
};

/* Whether a table takes part otherwise than as it is. */
static bool is_mapped(const struct init_report *report, size_t i)
{
    return report->rules != NULL &&
           (report->rules[i].key || report->rules[i].direction != TABLE_BOTH ||
            report->rules[i].named);
}

/* The key's columns, one after another. NULL: there are no more. */
static const char *key_column(const struct definition *definition, uint32_t position)
{
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].key_position == position)
            return definition->columns[i].name;
    return NULL;
}

static json_t *mapping_json(const struct init_report *report)
{
    json_t *list = json_make_array();

    for (size_t i = 0; i < report->catalog.count; i++) {
        const struct definition *definition = report->catalog.definitions[i];
        json_t *entry, *key;

        if (!is_mapped(report, i))
            continue;
        entry = json_make_object();
        key = json_make_array();
        json_put_text(entry, "table", definition->local_name);
        json_put_text(entry, "name", definition->name);
        for (uint32_t at = 1; at <= definition->key_count; at++)
            json_append(key, json_text(bytes_of_text(key_column(definition, at))));
        json_put(entry, "key", key);
        json_put_text(entry, "direction", direction_words[report->rules[i].direction]);
        json_append(list, entry);
    }
    return list;
}

static void print_mapping(const struct init_report *report)
{
    bool any = false;

    for (size_t i = 0; i < report->catalog.count; i++) {
        const struct definition *definition = report->catalog.definitions[i];

        if (!is_mapped(report, i))
            continue;
        if (!any)
            (void)puts("tables by rule:");
        any = true;
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(definition->local_name));
        if (report->rules[i].named) {
            (void)fputs(", to the fleet ", stdout);
            print_plain(stdout, bytes_of_text(definition->name));
        }
        for (uint32_t at = 1; report->rules[i].key && at <= definition->key_count; at++) {
            (void)fputs(at == 1 ? ", key " : " + ", stdout);
            print_plain(stdout, bytes_of_text(key_column(definition, at)));
        }
        if (report->rules[i].direction != TABLE_BOTH)
            (void)printf(", direction %s", direction_words[report->rules[i].direction]);
        (void)fputc('\n', stdout);
    }
}

/* Whether an earlier foreign key of the table names the same parent. */
static bool is_said(const struct definition *table, uint32_t key)
{
    for (uint32_t i = 0; i < key; i++)
        if (strcmp(table->foreign_keys[i].parent, table->foreign_keys[key].parent) == 0)
            return true;
    return false;
}

static json_t *lacking_json(const struct init_report *report)
{
    json_t *lacking = json_make_array();

    for (size_t i = 0; i < report->catalog.count; i++) {
        json_t *entry;

        if (report->catalog.lacks[i] == NULL)
            continue;
        entry = json_make_object();
        json_put_text(entry, "table", report->catalog.definitions[i]->name);
        json_put_text(entry, "why", report->catalog.lacks[i]);
        json_append(lacking, entry);
    }
    return lacking;
}

static json_t *outsiders_json(const struct init_report *report)
{
    json_t *outsiders = json_make_array();

    for (size_t i = 0; i < report->outsiders.count; i++) {
        const struct definition *table = &report->outsiders.tables[i];

        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            json_t *entry;

            if (is_said(table, k))
                continue;
            entry = json_make_object();
            json_put_text(entry, "table", table->local_name);
            json_put_text(entry, "parent", table->foreign_keys[k].parent);
            json_append(outsiders, entry);
        }
    }
    return outsiders;
}

/* The tables whose numbers are this node's own, or of which two may give one. */
static json_t *numbers_json(const struct init_report *report, bool own)
{
    json_t *numbers = json_make_array();

    for (size_t i = 0; report->rules != NULL && i < report->catalog.count; i++) {
        if (own ? report->rules[i].own_numbers : report->rules[i].numbers)
            json_append(numbers, json_text(bytes_of_text(
                                     report->catalog.definitions[i]->local_name)));
    }
    return numbers;
}

static void print_json(const struct init_report *report,
                       const struct init_options *options,
                       const struct visit_report *visit)
{
    json_t *object = json_make_object(), *tables = json_make_array(),
           *skipped = json_make_array(), *silent = json_make_array();
    char fleet[2 * FLEET_ID_SIZE + 1];

    if (report->node != 0)
        json_put_node(object, "node", report->node);
    else
        json_put(object, "node", json_null());
    json_put_text(object, "name", report->name);
    if (report->node != 0 || report->joins)
        json_put_text(object, "fleet",
                      sodium_bin2hex(fleet, sizeof fleet, report->fleet, FLEET_ID_SIZE));
    json_put_text(object, "store", options->store);
    json_put_text(object, "database", options->database);
    json_put_bool(object, "check", options->check);
    json_put_bool(object, "joins", report->joins);
    for (size_t i = 0; i < report->catalog.count; i++)
        json_append(tables,
                    json_text(bytes_of_text(report->catalog.definitions[i]->name)));
    for (size_t i = 0; i < report->catalog.skipped_count; i++) {
        json_t *entry = json_make_object();

        json_put_text(entry, "table", report->catalog.skipped[i].name);
        json_put_text(entry, "why", report->catalog.skipped[i].why);
        json_append(skipped, entry);
    }
    for (size_t i = 0; report->silent != NULL && i < report->catalog.count; i++) {
        if (report->silent[i])
            json_append(silent,
                        json_text(bytes_of_text(report->catalog.definitions[i]->name)));
    }
    json_put(object, "tables", tables);
    json_put(object, "outsiders", outsiders_json(report));
    json_put(object, "lacking", lacking_json(report));
    json_put(object, "rules", mapping_json(report));
    json_put(object, "numbers_rows", numbers_json(report, false));
    json_put(object, "own_numbers", numbers_json(report, true));
    json_put(object, "silent_triggers", silent);
    json_put_number(object, "rows", report->rows);
    json_put(object, "skipped", skipped);
    json_put(object, "findings", init_findings_json(&report->findings));
    if (report->joins || report->again)
        json_put(object, "foreign_keys", json_null());
    else
        json_put_bool(object, "foreign_keys", report->broken == NULL);
    if (report->broken != NULL)
        json_put_text(object, "broken", report->broken);
    first_sync_json(object, report, visit);
    json_print_line(stdout, object);
}

static void print_skipped(const struct catalog *catalog)
{
    if (catalog->skipped_count == 0)
        return;
    (void)printf("not replicated:\n");
    for (size_t i = 0; i < catalog->skipped_count; i++) {
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(catalog->skipped[i].name));
        (void)fputs(": ", stdout);
        print_plain(stdout, bytes_of_text(catalog->skipped[i].why));
        (void)fputc('\n', stdout);
    }
}

static void print_lacking(const struct catalog *catalog)
{
    bool any = false;

    for (size_t i = 0; i < catalog->count; i++) {
        if (catalog->lacks[i] == NULL)
            continue;
        if (!any) {
            (void)puts("tables that need what only the application has (captured; a row "
                       "that arrives and\ncan't be written waits in quarantine, none is "
                       "parked):");
        }
        any = true;
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(catalog->definitions[i]->name));
        (void)fputs(": ", stdout);
        print_plain(stdout, bytes_of_text(catalog->lacks[i]));
        (void)fputc('\n', stdout);
    }
}

/* Each replicated table that one which is not refers to. */
static void print_outsiders(const struct outsiders *outsiders)
{
    for (size_t i = 0; i < outsiders->count; i++) {
        const struct definition *table = &outsiders->tables[i];

        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            if (is_said(table, k))
                continue;
            print_plain(stdout, bytes_of_text(table->local_name));
            (void)fputs(" refers to ", stdout);
            print_plain(stdout, bytes_of_text(table->foreign_keys[k].parent));
            (void)puts(" and is not replicated: its rows are left without a parent when "
                       "one is deleted elsewhere");
        }
    }
}

static void print_silent(const struct init_report *report)
{
    bool any = false;

    for (size_t i = 0; report->silent != NULL && i < report->catalog.count; i++) {
        if (!report->silent[i])
            continue;
        if (!any)
            (void)puts("triggers that stay silent when rows arrive (rowferry.ini, "
                       "triggers):");
        any = true;
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(report->catalog.definitions[i]->name));
        (void)fputc('\n', stdout);
    }
}

static void print_own_numbers(const struct init_report *report)
{
    bool any = false;

    for (size_t i = 0; report->rules != NULL && i < report->catalog.count; i++) {
        if (!report->rules[i].own_numbers)
            continue;
        if (!any) {
            (void)puts(
                "tables in which this node gives numbers of its own (rowferry.ini, "
                "ids):");
        }
        any = true;
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(report->catalog.definitions[i]->local_name));
        (void)fputc('\n', stdout);
    }
}

static void print_numbers(const struct init_report *report)
{
    bool any = false;

    for (size_t i = 0; report->rules != NULL && i < report->catalog.count; i++) {
        if (!report->rules[i].numbers)
            continue;
        if (!any) {
            (void)puts(
                "tables that number their rows, where two nodes may give one number "
                "to two rows\n(the later wins, conflicts keep-both gives the other "
                "a new one; random keys or\nUUIDs, made by the program, do not "
                "meet, nor do those of AUTOINCREMENT\nwith init --ids range):");
        }
        any = true;
        (void)fputs("    ", stdout);
        print_plain(stdout, bytes_of_text(report->catalog.definitions[i]->local_name));
        (void)fputc('\n', stdout);
    }
}

static void print_text(const struct init_report *report,
                       const struct init_options *options)
{
    char id[NODE_ID_TEXT_SIZE];

    node_id_text(report->node, id);
    if (report->again) {
        first_sync_announce(report, options);
        return;
    }
    if (options->check) {
        (void)printf("nothing was changed; init would make node %s in %s\n", report->name,
                     options->store);
    } else {
        (void)printf("made node %s (%s) in %s\n", report->name, id, options->store);
    }
    if (report->catalog.count > 0 || !report->joins) {
        (void)printf("%" PRIu64 " table%s, %" PRIu64 " row%s\n", report->tables,
                     plural(report->tables), report->rows, plural(report->rows));
    }
    if (report->broken != NULL && !report->joins) {
        (void)fputs("foreign keys do not count: ", stdout);
        print_plain(stdout, bytes_of_text(report->broken));
        (void)fputs(" (rowferry.ini, foreign_keys)\n", stdout);
    }
    print_mapping(report);
    if (!init_findings_left_out(&report->findings))
        print_skipped(&report->catalog);
    print_outsiders(&report->outsiders);
    print_lacking(&report->catalog);
    print_silent(report);
    print_own_numbers(report);
    print_numbers(report);
    init_findings_print(&report->findings);
    first_sync_announce(report, options);
}

static enum status run_init(const struct invocation *invocation, struct error *err)
{
    const char *const *values = invocation->values;
    struct init_options options = {
        .database = invocation->operands[0],
        .store = invocation->store,
        .name = values[NAME],
        .tables = values[TABLES],
        .join = values[JOIN],
        .create_tables = values[CREATE_TABLES] != NULL,
        .check = values[CHECK] != NULL || values[PRINT_SQL] != NULL,
        .take_over = values[TAKE_OVER] != NULL,
        .progress = progress_line_watcher(invocation->line),
        .ids = values[IDS],
        .slot = values[SLOT],
        .publication = values[PUBLICATION],
        .settings = values[SETTINGS],
        .from = values[FROM],
        .notice = report_notice,
        .notice_data = (void *)(uintptr_t)invocation,
    };
    struct visit_report visit = {0};
    struct init_report report;
    enum status status = first_sync_read_prefer(values[PREFER], &options.prefer, err);

    if (status == STATUS_OK)
        status = node_init(&options, &report, err);
    progress_line_erase(invocation->line);
    if (status != STATUS_OK)
        return status;
    if (values[PRINT_SQL] != NULL) {
        init_findings_print_sql(&report.findings);
        init_report_release(&report);
        return STATUS_OK;
    }
    if (!invocation->json)
        print_text(&report, &options);
    if (options.from != NULL && !options.check)
        status = first_sync_run(invocation, options.from, &visit, err);
    if (invocation->json)
        print_json(&report, &options,
                   options.from != NULL && !options.check ? &visit : NULL);
    if (status == STATUS_OK)
        status = init_findings_status(&report.findings, err);
    init_report_release(&report);
    return status;
}

const struct command command_init = {
    .name = "init",
    .operands = "DATABASE",
    .summary = "Make a node of DATABASE (a URL): its store, and a new fleet",
    .about =
        "DATABASE is sqlite:PATH or postgresql://USER@HOST/NAME.\n"
        "With --join the node becomes a member of the fleet that FILE is a token of;\n"
        "its rows come with the first sync, which --from does at once. Rows that differ\n"
        "from the fleet's are refused then, until --prefer says which are right; for a\n"
        "store that is there: init DATABASE --prefer WHICH.",
    .parameters = {{"name", "NAME", "of the node; else the host's", false},
                   {"tables", "LIST", "only these, with commas between", false},
                   {"check", NULL, "say what would be, change nothing", false},
                   {"join", "FILE", "a token; - for standard input", false},
                   {"create-tables", NULL, "make the fleet's tables, and the file",
                    false},
                   {"take-over", NULL, "though DATABASE belongs to another store", false},
                   {"ids", "range", "give numbers of this node's own as keys", false},
                   {"settings", "FILE", "begin with these lines of rowferry.ini", false},
                   {"prefer", "WHICH", "where rows differ: fleet or local", false},
                   {"from", "TARGET", "with --join: sync with it at once", false},
                   {"print-sql", NULL, "only print what its DBA would run", false},
                   {"slot", "NAME", "of Postgres: one that its DBA has made", false},
                   {"publication", "NAME", "the same", false}},
    .operands_min = 1,
    .operands_max = 1,
    .run = run_init,
};
