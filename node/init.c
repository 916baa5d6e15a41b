/* Making a node. Happy path: the database is looked at; the store is made in its cradle,
 * gets the member entry, the definitions and the base rows; rowferry_state goes into the
 * database; one rename puts the store into place.
 *
 * A failure removes the cradle, and takes rowferry_state out again if it was written.
 * After a kill, or when that failed too, the cradle is still there: the same init takes
 * it over (node/cradle.h), with the rows of a Postgres database that are in it already;
 * one that had got as far as the rename finds its store in place and has nothing left to
 * do. */
#include "node/init_private.h"

#include "engine/postgres_name.h"
#include "log/identity.h"
#include "node/join_again.h"
#include "node/numbers.h"
#include "node/path.h"
#include "node/token_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void init_report_release(struct init_report *report)
{
    outsiders_release(&report->outsiders);
    free(report->silent);
    free(report->rules);
    report->silent = NULL;
    report->rules = NULL;
    free(report->broken);
    report->broken = NULL;
    catalog_release(&report->catalog);
    findings_release(&report->findings);
}

/* ---- what is given */

static enum status name_places(struct making *making, struct error *err)
{
    const char *store = making->options->store;
    enum status status = database_url_read(&making->url, making->options->database, err);

    if (status != STATUS_OK)
        return status;
    making->place = path_trimmed(store);
    if (making->place == NULL)
        return error_set(err, STATUS_NO_MEMORY, "init: out of memory");
    if (making->place[0] == '\0' || strcmp(making->place, "/") == 0)
        return error_set(err, STATUS_USAGE, "--store: \"%s\" is not a directory to make",
                         store);
    making->left_id = cradle_left_id(making->place);
    return STATUS_OK;
}

static enum status read_settings(struct making *making, struct error *err)
{
    const struct init_options *options = making->options;
    enum status status = STATUS_OK;

    making->config.rules.postgres = making->url.kind == DATABASE_POSTGRES;
    if (options->settings != NULL)
        status = config_read_file(&making->config, options->settings, err);
    if (status == STATUS_OK && options->ids != NULL &&
        !config_ids(options->ids, &making->config.ids))
        status =
            error_set(err, STATUS_USAGE, "--ids %s: give range or plain", options->ids);
    if (status == STATUS_OK && making->url.kind != DATABASE_POSTGRES &&
        (options->slot != NULL || options->publication != NULL))
        status = error_set(err, STATUS_USAGE, "--slot, --publication: for Postgres only");
    if (status == STATUS_OK && options->slot != NULL)
        status = table_rules_set(&making->config.slot, options->slot, err);
    if (status == STATUS_OK && options->publication != NULL)
        status = table_rules_set(&making->config.publication, options->publication, err);
    if (status == STATUS_OK && options->tables != NULL)
        status = table_rules_set(&making->config.rules.only, options->tables, err);
    return status;
}

static enum status make_identity(struct making *making, struct error *err)
{
    char host[NODE_NAME_MAX + 1] = "node";
    const char *name = making->options->name;
    enum status status;

    if (name == NULL && gethostname(host, sizeof host - 1) == 0)
        host[sizeof host - 1] = '\0';
    status = identity_make(&making->identity, name != NULL ? name : host, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, name != NULL ? "--name" : "the host's name");
    if (making->left_id != 0)
        making->identity.node = making->left_id;
    identity_rank(&making->identity, making->options->join == NULL);
    if (making->options->join != NULL)
        status = token_file_read(&making->identity, making->options->join, err);
    return status;
}

/* ---- the database */

static enum status open_database(struct making *making, struct error *err)
{
    const struct init_options *options = making->options;
    bool missing = database_is_missing(&making->url);
    enum status status;

    if (missing && !options->create_tables) {
        return error_set(
            err, STATUS_UNAVAILABLE, "%s: no such file: %s", making->url.path,
            options->join != NULL ? "give its right path; --create-tables makes a new one"
                                  : "give its right path, or make the database first");
    }
    if (missing && options->check)
        return STATUS_OK;
    making->made_database = missing;
    status = database_open(&making->database, &making->url,
                           missing          ? DATABASE_CREATE
                           : options->check ? DATABASE_READ
                                            : DATABASE_WRITE,
                           err);
    if (status == STATUS_OK && making->database->ops->adopt != NULL)
        making->database->ops->adopt(making->database, &making->config);
    if (status == STATUS_OK)
        status = making->database->ops->owner(making->database, &making->owner, err);
    if (status == STATUS_OK && !options->take_over)
        status =
            node_check_owner(making->left_id, making->database->name, making->owner, err);
    return status;
}

/* Which triggers stay silent when rows arrive: their owner should know. */
static enum status find_silent(struct making *making, struct error *err)
{
    struct init_report *report = making->report;

    report->silent = calloc(report->catalog.count + 1, sizeof *report->silent);
    if (report->silent == NULL)
        return error_set(err, STATUS_NO_MEMORY, "triggers: out of memory");
    return making->database->ops->find_silent(
        making->database, &report->catalog, making->config.triggers, report->silent, err);
}

static enum status fill_rules(struct making *making, struct error *err)
{
    struct init_report *report = making->report;
    const struct catalog *catalog = &report->catalog;
    enum status status = STATUS_OK;

    report->rules = calloc(catalog->count + 1, sizeof *report->rules);
    if (report->rules == NULL)
        return error_set(err, STATUS_NO_MEMORY, "init: out of memory");
    for (size_t i = 0; i < catalog->count && status == STATUS_OK; i++) {
        const struct definition *definition = catalog->definitions[i];
        const struct table_rule *rule =
            table_rules_find(&making->config.rules, definition->local_name);

        if (rule != NULL) {
            report->rules[i].direction = rule->direction;
            report->rules[i].key = rule->key != NULL;
        }
        report->rules[i].named =
            definition->dialect == DIALECT_POSTGRES
                ? !postgres_name_is(definition->local_name, definition->name)
                : strcmp(definition->name, definition->local_name) != 0;
        status = numbers_rule(making->database, definition, making->config.ids,
                              &report->rules[i], err);
    }
    return status;
}

/* Refusals are the report's in a check, else the first of them ends init. */
static enum status find_lacking(struct making *making, struct error *err)
{
    struct findings *findings = &making->report->findings;
    struct database *database = making->database;
    enum status status;

    if (database->ops->check == NULL)
        return STATUS_OK;
    status =
        database->ops->check(database, making->identity.node, &making->report->catalog,
                             &making->config.rules, findings, err);
    if (status != STATUS_OK || making->options->check || !findings_refuse(findings))
        return status;
    return error_set(err, STATUS_UNAVAILABLE,
                     "%s: %s; `rowferry init --check` says all that is lacking, "
                     "--print-sql what to run",
                     database->name, findings->list[0].text);
}

static enum status look_at_tables(struct making *making, struct error *err)
{
    struct init_report *report = making->report;
    struct table_rules rules = making->config.rules; /* a view */
    struct database *database = making->database;
    uint64_t count;
    bool readable;
    enum status status;

    if (database == NULL)
        return STATUS_OK;
    if (making->options->create_tables)
        rules.only = NULL; /* what it names comes with the first sync */
    status = database->ops->begin_read(database, err);
    if (status != STATUS_OK)
        return status;
    status = database->ops->read_catalog(database, &rules, NULL, &report->catalog, err);
    if (status == STATUS_OK)
        status = find_lacking(making, err);
    if (status == STATUS_OK && !making->options->create_tables)
        status = node_say_rules(database, &rules, making->options->notice,
                                making->options->notice_data, err);
    if (status == STATUS_OK)
        status =
            database->ops->find_broken(database, &report->catalog, &report->broken, err);
    if (status == STATUS_OK)
        status = fill_rules(making, err);
    readable = !findings_refuse(&report->findings);
    for (size_t i = 0; status == STATUS_OK && readable && i < report->catalog.count;
         i++) {
        count = 0;
        if (report->rules[i].direction == TABLE_IN)
            continue; /* they stay here */
        status = database->ops->count_rows(database, report->catalog.definitions[i],
                                           &count, err);
        report->rows += count;
    }
    if (status == STATUS_OK)
        status = find_silent(making, err);
    if (status == STATUS_OK)
        status = database->ops->read_outsiders(database, &report->catalog,
                                               &report->outsiders, err);
    database->ops->rollback(database);
    report->tables = report->catalog.count;
    /* Of a joiner the first sync finds out; settings may have said it. */
    if (making->options->join == NULL && making->config.foreign_keys != FOREIGN_KEYS_OFF)
        making->config.foreign_keys =
            report->broken == NULL ? FOREIGN_KEYS_ON : FOREIGN_KEYS_OFF;
    return status;
}

/* ---- the whole */

static void fill_report(struct making *making)
{
    struct init_report *report = making->report;

    report->node = making->options->check ? 0 : making->identity.node;
    memcpy(report->name, making->identity.name, sizeof report->name);
    memcpy(report->fleet, making->identity.fleet, FLEET_ID_SIZE);
    report->joins = making->options->join != NULL;
    report->prefer = making->options->prefer;
}

/* There is something where the store is to be: a store that an init put there and died
 * before it could say so, or something else. */
static enum status find_placed(struct making *making, struct error *err)
{
    struct store *store = NULL;
    enum status status;

    if (!cradle_is_left(making->place)) {
        return error_set(err, STATUS_REFUSED,
                         "%s: there is a store already, or something else: name another "
                         "directory with --store",
                         making->place);
    }
    status = cradle_open(&making->cradle, making->place, err);
    if (status == STATUS_OK)
        status = store_open(&store, making->place, STORE_READ_ONLY, err);
    if (status == STATUS_OK)
        making->identity = *store_identity(store);
    store_close(store);
    if (making->left_id == 0) /* it died between its last two calls */
        making->left_id = making->identity.node;
    if (status == STATUS_OK && making->identity.node != making->left_id) {
        status = error_set(err, STATUS_REFUSED,
                           "%s: there is a store already, of node %s: name another "
                           "directory with --store",
                           making->place, making->identity.name);
    }
    return status;
}

/* What is said for a node that joins is for one that is made now, or is there already.
 * *again: the latter; all is done. */
static enum status check_joining(struct making *making, bool *again, struct error *err)
{
    const struct init_options *options = making->options;
    bool joins = options->prefer != PREFER_NEITHER || options->from != NULL;
    enum status status = STATUS_OK;

    if (options->from != NULL)
        status = node_check_target(options->from, err);
    if (status != STATUS_OK || !joins)
        return status;
    if (!options->check && path_holds_files(making->place) &&
        !cradle_is_left(making->place)) {
        *again = true;
        return join_again(options, making->place, making->url.text, making->report, err);
    }
    if (options->join != NULL)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "%s goes with --join",
                     options->from != NULL ? "--from" : "--prefer");
}

static enum status make(struct making *making, bool *placed, struct error *err)
{
    bool again = false;
    enum status status = name_places(making, err);

    if (status == STATUS_OK)
        status = check_joining(making, &again, err);
    if (again)
        return status;
    if (status == STATUS_OK)
        status = read_settings(making, err);
    if (status == STATUS_OK && path_holds_files(making->place)) {
        status = find_placed(making, err);
        *placed = status == STATUS_OK;
    } else if (status == STATUS_OK) {
        status = make_identity(making, err);
    }
    if (status == STATUS_OK)
        status = open_database(making, err);
    if (status == STATUS_OK)
        status = look_at_tables(making, err);
    if (status != STATUS_OK || *placed || making->options->check)
        return status;
    status = making_store(making, err);
    if (status == STATUS_OK && making->options->join == NULL)
        status = making_found(making, err);
    if (status == STATUS_OK)
        status = making_place(making, err);
    *placed = status == STATUS_OK;
    return status;
}

enum status node_init(const struct init_options *options, struct init_report *report,
                      struct error *err)
{
    struct making making = {.options = options, .report = report};
    bool placed = false;
    enum status status;

    *report = (struct init_report){0};
    if (options->create_tables && options->join == NULL)
        return error_set(err, STATUS_USAGE, "--create-tables goes with --join");
    config_init(&making.config);
    status = make(&making, &placed, err);
    if (status == STATUS_OK && !report->again)
        fill_report(&making);
    else if (status != STATUS_OK)
        init_report_release(report);
    if (placed)
        making.end = CRADLE_FORGET;
    store_close(making.store);
    cradle_close(making.cradle, making.end);
    database_close(making.database);
    if (making.made_database && status != STATUS_OK)
        (void)unlink(making.url.path);
    config_release(&making.config);
    sodium_memzero(&making.identity, sizeof making.identity);
    free(making.place);
    database_url_release(&making.url);
    return status;
}
