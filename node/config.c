#include "node/config.h"

#include "node/path.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_SIZE_MAX = 1 << 20, TABLES_LINE_MAX = 150 };

static const char *const trigger_words[] = {
    [TRIGGERS_AUTO] = "auto",
    [TRIGGERS_OFF] = "off",
    [TRIGGERS_ON] = "on",
};

void config_init(struct config *config)
{
    *config = (struct config){
        .triggers = TRIGGERS_AUTO,
        .max_skew_us = CLOCK_MAX_SKEW_US_DEFAULT,
    };
}

void config_release(struct config *config)
{
    free(config->database);
    free(config->tables);
    config_init(config);
}

/* ---- reading */

struct reading {
    struct config *config;
    const char *path;
    struct error *err;
    enum status status; /* of the first line that was wrong */
};

static void wrong_value(struct reading *reading, const char *name, const char *value,
                        const char *allowed)
{
    reading->status = error_set(reading->err, STATUS_UNAVAILABLE,
                                "%s: %s = %s is not understood: use %s", reading->path,
                                name, value, allowed);
}

static void set_text(struct reading *reading, char **field, const char *value)
{
    free(*field);
    *field = strdup(value);
    if (*field == NULL)
        reading->status =
            error_set(reading->err, STATUS_NO_MEMORY, "%s: out of memory", reading->path);
}

/* Several lines `tables = …` add up, so that a long list needs no long line. */
static void add_tables(struct reading *reading, const char *value)
{
    char *joined = NULL;

    if (reading->config->tables == NULL) {
        set_text(reading, &reading->config->tables, value);
        return;
    }
    if (asprintf(&joined, "%s,%s", reading->config->tables, value) < 0) {
        reading->status =
            error_set(reading->err, STATUS_NO_MEMORY, "%s: out of memory", reading->path);
        return;
    }
    free(reading->config->tables);
    reading->config->tables = joined;
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

/* inih's callback: 1 goes on, 0 counts as a wrong line. */
static int read_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;

    if (reading->status != STATUS_OK)
        return 0;
    if (section[0] != '\0') {
        reading->status = error_set(reading->err, STATUS_UNAVAILABLE,
                                    "%s: section [%s] is unknown to this version",
                                    reading->path, section);
    } else if (strcmp(name, "database") == 0) {
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
    } else if (strcmp(name, "max_skew") == 0) {
        if (!read_duration(value, &reading->config->max_skew_us))
            wrong_value(reading, name, value, "a number with s, m, h or d");
    } else {
        reading->status =
            error_set(reading->err, STATUS_UNAVAILABLE,
                      "%s: %s is unknown; there are database, tables, foreign_keys, "
                      "triggers, max_skew",
                      reading->path, name);
    }
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

enum status config_read(struct config *config, const char *folder, struct error *err)
{
    char *path = NULL, *text = NULL;
    size_t size = 0;
    int line;
    enum status status = config_path(folder, &path, err);
    struct reading reading = {.config = config, .path = path, .err = err};

    if (status == STATUS_OK)
        status = load(path, &text, &size, err);
    if (status == STATUS_OK && text != NULL)
        status = check_lines(path, text, size, err);
    if (status == STATUS_OK && text != NULL) {
        line = ini_parse_string(text, read_line, &reading);
        status = reading.status;
        if (status == STATUS_OK && line != 0)
            status = error_set(err, STATUS_UNAVAILABLE,
                               "%s:%d: not a line of name = value", path, line);
    }
    free(text);
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

static void write_lines(FILE *file, const struct config *config)
{
    (void)fputs("# Settings of this node. Lines of at most 190 characters.\n\n", file);
    if (config->database != NULL && fits_line("database", config->database))
        (void)fprintf(file, "# The database, should it move.\ndatabase = %s\n\n",
                      config->database);
    if (config->tables != NULL) {
        (void)fputs("# Only these tables. Several lines add up.\n", file);
        write_tables(file, config->tables);
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
        "# How far ahead of this machine's clock an entry may be (s, m, h, d).\n"
        "max_skew = %llus\n",
        (unsigned long long)(config->max_skew_us / 1000000));
}

static bool same_text(const char *a, const char *b)
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
        (status != STATUS_OK || !same_text(again.tables, config->tables))) {
        status =
            error_set(err, STATUS_USAGE,
                      "--tables \"%s\": not a list of names with commas between that "
                      "a line of rowferry.ini can hold",
                      config->tables != NULL ? config->tables : "");
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
            status =
                error_set_errno(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO, path);
        (void)fclose(file);
    }
    if (status == STATUS_OK)
        status = read_back(config, folder, err);
    free(path);
    return status;
}
