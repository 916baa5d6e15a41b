#include "node/config.h"

#include "node/config_tables.h"
#include "node/path.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_SIZE_MAX = 1 << 20, TABLES_LINE_MAX = 150, BATCH_MAX = 1000000 };

static const char *const trigger_words[] = {
    [TRIGGERS_AUTO] = "auto",
    [TRIGGERS_OFF] = "off",
    [TRIGGERS_ON] = "on",
};

static const char *const ids_words[] = {[IDS_PLAIN] = "plain", [IDS_RANGE] = "range"};

void config_init(struct config *config)
{
    *config = (struct config){
        .triggers = TRIGGERS_AUTO,
        .max_skew_us = CLOCK_MAX_SKEW_US_DEFAULT,
        .lock_wait_us = LOCK_WAIT_US_DEFAULT,
    };
}

void config_release(struct config *config)
{
    free(config->database);
    free(config->slot);
    free(config->publication);
    table_rules_release(&config->rules);
    config_init(config);
}

/* ---- reading */

struct reading {
    struct config *config;
    struct error *err;
    enum status status; /* of the first line that was wrong */
};

static void wrong_value(struct reading *reading, const char *name, const char *value,
                        const char *allowed)
{
    reading->status =
        error_set(reading->err, STATUS_UNAVAILABLE, "%s = %s is not understood: use %s",
                  name, value, allowed);
}

static void set_text(struct reading *reading, char **field, const char *value)
{
    reading->status = table_rules_set(field, value, reading->err);
}

/* Several lines `tables = …` add up, so that a long list needs no long line. */
static void add_tables(struct reading *reading, const char *value)
{
    char **only = &reading->config->rules.only;
    char *joined = NULL;

    if (*only == NULL) {
        set_text(reading, only, value);
        return;
    }
    if (asprintf(&joined, "%s,%s", *only, value) < 0) {
        reading->status = error_set(reading->err, STATUS_NO_MEMORY, "out of memory");
        return;
    }
    free(*only);
    *only = joined;
}

static bool read_duration(const char *text, uint64_t *out_us)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {
        {"",  1    },
        {"s", 1    },
        {"m", 60   },
        {"h", 3600 },
        {"d", 86400}
    };
    char *end = NULL;
    unsigned long number;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno != 0 || number > 1000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *out_us = number * units[i].seconds * 1000000;
            return true;
        }
    }
    return false;
}

/* 0 stands for auto. */
static bool read_batch(const char *text, uint64_t *out)
{
    char *end = NULL;

    *out = 0;
    if (strcmp(text, "auto") == 0)
        return true;
    if (*text < '1' || *text > '9')
        return false;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0' && *out <= BATCH_MAX;
}

static void set_triggers(struct reading *reading, const char *value)
{
    for (size_t i = 0; i < sizeof trigger_words / sizeof *trigger_words; i++) {
        if (strcmp(value, trigger_words[i]) == 0) {
            reading->config->triggers = (enum trigger_mode)i;
            return;
        }
    }
    wrong_value(reading, "triggers", value, "auto, off or on");
}

bool config_ids(const char *word, enum ids_mode *out)
{
    for (size_t i = 0; i < sizeof ids_words / sizeof *ids_words; i++) {
        if (strcmp(word, ids_words[i]) != 0)
            continue;
        *out = (enum ids_mode)i;
        return true;
    }
    return false;
}

static void set_value(struct reading *reading, const char *name, const char *value)
{
    if (strcmp(name, "database") == 0) {
        set_text(reading, &reading->config->database, value);
    } else if (strcmp(name, "tables") == 0) {
        add_tables(reading, value);
    } else if (strcmp(name, "foreign_keys") == 0) {
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
            wrong_value(reading, name, value, "on or off");
        reading->config->foreign_keys =
            strcmp(value, "on") == 0 ? FOREIGN_KEYS_ON : FOREIGN_KEYS_OFF;
    } else if (strcmp(name, "triggers") == 0) {
        set_triggers(reading, value);
    } else if (strcmp(name, "ids") == 0) {
        if (!config_ids(value, &reading->config->ids))
            wrong_value(reading, name, value, "plain or range");
    } else if (strcmp(name, "slot") == 0) {
        set_text(reading, &reading->config->slot, value);
    } else if (strcmp(name, "publication") == 0) {
        set_text(reading, &reading->config->publication, value);
    } else if (strcmp(name, "batch") == 0) {
        if (!read_batch(value, &reading->config->batch))
            wrong_value(reading, name, value, "auto or a number from 1 to 1000000");
    } else if (strcmp(name, "max_skew") == 0) {
        if (!read_duration(value, &reading->config->max_skew_us))
            wrong_value(reading, name, value, "a number with s, m, h or d");
    } else if (strcmp(name, "lock_wait") == 0) {
        if (!read_duration(value, &reading->config->lock_wait_us))
            wrong_value(reading, name, value, "a number with s, m, h or d");
    } else {
        reading->status =
            error_set(reading->err, STATUS_UNAVAILABLE,
                      "%s is unknown; there are database, tables, foreign_keys, "
                      "triggers, ids, slot, publication, batch, max_skew, lock_wait",
                      name);
    }
}

/* inih's callback: 1 goes on, 0 counts as a wrong line. */
static int read_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct table_rule *rule = config_tables_of(&reading->config->rules, section);

    if (reading->status != STATUS_OK)
        return 0;
    if (rule != NULL)
        reading->status = config_tables_set(rule, name, value, reading->err);
    else
        set_value(reading, name, value);
    return reading->status == STATUS_OK;
}

/* The whole file with a NUL after it; *out is the caller's, NULL without a file. */
static enum status load(const char *path, char **out, size_t *size, struct error *err)
{
    FILE *file = fopen(path, "re");
    char *text;
    enum status status = STATUS_OK;

    *out = NULL;
    if (file == NULL && errno == ENOENT)
        return STATUS_OK;
    if (file == NULL)
        return path_failed(err, path);
    text = malloc(CONFIG_SIZE_MAX + 1);
    if (text == NULL) {
        (void)fclose(file);
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
    }
    *size = fread(text, 1, CONFIG_SIZE_MAX, file);
    if (ferror(file))
        status = error_set(err, STATUS_UNAVAILABLE, "%s: cannot be read", path);
    else if (*size == CONFIG_SIZE_MAX)
        status = error_set(err, STATUS_UNAVAILABLE, "%s: over 1 MiB", path);
    (void)fclose(file);
    if (status != STATUS_OK) {
        free(text);
        return status;
    }
    text[*size] = '\0';
    *out = text;
    return STATUS_OK;
}

static enum status check_lines(const char *path, const char *text, size_t size,
                               struct error *err)
{
    unsigned line = 1;

    if (strlen(text) != size)
        return error_set(err, STATUS_UNAVAILABLE, "%s: holds a zero byte", path);
    for (const char *at = text; *at != '\0'; line++) {
        size_t length = strcspn(at, "\n");

        if (length > CONFIG_LINE_MAX) {
            return error_set(
                err, STATUS_UNAVAILABLE,
                "%s:%u: line of %zu characters, at most %d are read: shorten it", path,
                line, length, CONFIG_LINE_MAX);
        }
        /* To inih it would be more of the line before. */
        if ((*at == ' ' || *at == '\t') && strspn(at, " \t\r") < length)
            return error_set(err, STATUS_UNAVAILABLE,
                             "%s:%u: the line begins with a blank", path, line);
        at += length;
        at += *at == '\n';
    }
    return STATUS_OK;
}

static enum status config_path(const char *folder, char **out, struct error *err)
{
    if (asprintf(out, "%s/rowferry.ini", folder) >= 0)
        return STATUS_OK;
    *out = NULL;
    return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", folder);
}

/* Put "path:line: " before the reason. */
static enum status at_line(const char *path, unsigned line, enum status status,
                           struct error *err)
{
    struct error reason = *err;

    return error_set(err, status, "%s:%u: %s", path, line, reason.text);
}

static enum status parse(struct config *config, const char *path, char *text,
                         struct error *err)
{
    struct reading reading = {.config = config, .err = err};
    enum status status = config_tables_find(&config->rules, text, err);
    struct error reason = *err;
    int line;

    if (status != STATUS_OK)
        return error_set(err, status, "%s:%s", path, reason.text);
    line = ini_parse_string(text, read_line, &reading);
    if (line > 0 && reading.status == STATUS_OK)
        reading.status = error_set(err, STATUS_UNAVAILABLE, "not a line of name = value");
    if (reading.status != STATUS_OK)
        return at_line(path, line > 0 ? (unsigned)line : 0, reading.status, err);
    return line == 0 ? STATUS_OK
                     : error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
}

static enum status read_file(struct config *config, const char *path, bool must_be,
                             struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    enum status status = load(path, &text, &size, err);

    if (status == STATUS_OK && text == NULL && must_be)
        status = error_set(err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(ENOENT));
    if (status == STATUS_OK && text != NULL)
        status = check_lines(path, text, size, err);
    if (status == STATUS_OK && text != NULL)
        status = parse(config, path, text, err);
    free(text);
    return status;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool config_captures_same(const struct config *a, const struct config *b)
{
    return table_rules_fingerprint(&a->rules) == table_rules_fingerprint(&b->rules) &&
           same_text(a->slot, b->slot) && same_text(a->publication, b->publication);
}

enum status config_read_file(struct config *config, const char *path, struct error *err)
{
    return read_file(config, path, true, err);
}

enum status config_read(struct config *config, const char *folder, struct error *err)
{
    char *path = NULL;
    enum status status = config_path(folder, &path, err);

    if (status == STATUS_OK)
        status = read_file(config, path, false, err);
    free(path);
    return status;
}

/* ---- writing */

static bool fits_line(const char *name, const char *value)
{
    size_t size = strlen(value);

    if (size == 0 || strlen(name) + strlen(" = ") + size > CONFIG_LINE_MAX)
        return false;
    if (value[0] == ' ' || value[size - 1] == ' ')
        return false;
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == ';')
            return false;
    }
    return true;
}

static void write_tables(FILE *file, const char *tables)
{
    while (*tables != '\0') {
        size_t size = strlen(tables), cut = size;

        if (size > TABLES_LINE_MAX) {
            const char *comma = memrchr(tables, ',', TABLES_LINE_MAX);

            cut = comma != NULL ? (size_t)(comma - tables) : strcspn(tables, ",");
        }
        (void)fprintf(file, "tables = %.*s\n", (int)cut, tables);
        tables += cut;
        tables += *tables == ',';
    }
}

static void write_batch(FILE *file, uint64_t batch)
{
    (void)fputs(
        "# How many changes one transaction takes that writes what arrives: fewer "
        "hold rows\n# for less time, more go faster.\n",
        file);
    if (batch == 0)
        (void)fputs("batch = auto\n\n", file);
    else
        (void)fprintf(file, "batch = %llu\n\n", (unsigned long long)batch);
}

static void write_given(FILE *file, const char *name, const char *value)
{
    if (value != NULL) {
        (void)fprintf(file,
                      "# The %s of the database's administrator, which is never made or "
                      "dropped here.\n%s = %s\n\n",
                      name, name, value);
    }
}

static void write_lines(FILE *file, const struct config *config)
{
    (void)fputs("# Settings of this node. Lines of at most 190 characters.\n\n", file);
    if (config->database != NULL && fits_line("database", config->database))
        (void)fprintf(file, "# The database, should it move.\ndatabase = %s\n\n",
                      config->database);
    if (config->rules.only != NULL) {
        (void)fputs("# Only these tables. Several lines add up.\n", file);
        write_tables(file, config->rules.only);
        (void)fputc('\n', file);
    }
    (void)fprintf(
        file,
        "# on: a row whose parent is missing is parked; off: foreign keys do not "
        "count.\n# The same on every node, or they show different rows. Without a line: "
        "as the fleet's\n# founder has it.\n%sforeign_keys = %s\n\n",
        config->foreign_keys == FOREIGN_KEYS_UNSAID ? "# " : "",
        config->foreign_keys == FOREIGN_KEYS_OFF ? "off" : "on");
    (void)fprintf(
        file,
        "# Whether what arrives fires triggers. auto: those that write only tables "
        "that are\n# not replicated; off: none; on: all.\ntriggers = %s\n\n",
        trigger_words[config->triggers]);
    (void)fprintf(
        file,
        "# range: AUTOINCREMENT or a sequence gives numbers that no other node gives "
        "which has range too.\n# plain: the next ones, which others may give as "
        "well.\nids = %s\n\n",
        ids_words[config->ids]);
    write_given(file, "slot", config->slot);
    write_given(file, "publication", config->publication);
    write_batch(file, config->batch);
    (void)fprintf(
        file,
        "# How far ahead of this machine's clock an entry may be (s, m, h, d).\n"
        "max_skew = %llus\n",
        (unsigned long long)(config->max_skew_us / 1000000));
    (void)fprintf(
        file,
        "# How long to wait for another rowferry that is at work here (s, m, h, d).\n"
        "lock_wait = %llus\n",
        (unsigned long long)(config->lock_wait_us / 1000000));
    config_tables_write(file, &config->rules);
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What was written must be what will be read. */
static enum status read_back(const struct config *config, const char *folder,
                             struct error *err)
{
    struct config again;
    enum status status;

    config_init(&again);
    status = config_read(&again, folder, err);
    if (status != STATUS_NO_MEMORY &&
        (status != STATUS_OK || !config_tables_same(&again.rules, &config->rules))) {
        status =
            error_set(err, STATUS_USAGE,
                      "--tables \"%s\": not a list of names with commas between that "
                      "a line of rowferry.ini can hold",
                      config->rules.only != NULL ? config->rules.only : "");
    }
    if (status == STATUS_OK && (!is_same(again.slot, config->slot) ||
                                !is_same(again.publication, config->publication))) {
        status = error_set(err, STATUS_USAGE,
                           "--slot, --publication: a line of rowferry.ini can't hold "
                           "such a name");
    }
    config_release(&again);
    return status;
}

enum status config_write(const struct config *config, const char *folder,
                         struct error *err)
{
    char *path = NULL;
    FILE *file = NULL;
    enum status status = config_path(folder, &path, err);

    if (status != STATUS_OK)
        return status;
    file = fopen(path, "we");
    if (file == NULL) {
        status = path_failed(err, path);
    } else {
        write_lines(file, config);
        errno = 0;
        if (fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0)
            status = error_set_errno(
                err, error_is_no_room(errno) ? STATUS_FULL : STATUS_IO, path);
        (void)fclose(file);
    }
    if (status == STATUS_OK)
        status = read_back(config, folder, err);
    free(path);
    return status;
}
