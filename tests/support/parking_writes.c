#include "tests/support/parking_writes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 5 };

/* ---- chance */

static uint64_t chance;

void parking_seed(uint64_t seed)
{
    chance = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

unsigned parking_pick(unsigned below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)((chance >> 16) % below);
}

/* ---- writing */

static void put_value(FILE *out, const char *column)
{
    static const char *const texts[] = {"'x'", "'X'", "'y'", "'Z'"};

    if (parking_pick(5) == 0)
        (void)fputs("NULL", out);
    else if (strchr(column, '\'') != NULL)
        (void)fputs(texts[parking_pick(4)], out);
    else
        (void)fprintf(out, "%u", parking_pick(IDS) + (parking_pick(2) == 0 ? 0 : 1));
}

static void put_key(FILE *out, unsigned table)
{
    static const char *const keys[] = {"'x'", "'X'", "'y'", "'Y'", "'z'"};

    if (strcmp(parking_tables[table].name, "k") == 0)
        (void)fputs(keys[parking_pick(5)], out);
    else
        (void)fprintf(out, "%u", parking_pick(IDS) + 1);
}

static void put_columns(FILE *out, unsigned table, bool values)
{
    for (size_t i = 0; i < PARKING_COLUMNS && parking_tables[table].columns[i] != NULL;
         i++) {
        const char *column = parking_tables[table].columns[i];

        (void)fputs(", ", out);
        if (values)
            put_value(out, column);
        else
            (void)fprintf(out, "%.*s", (int)strcspn(column, "'"), column);
    }
}

static void put_statement(FILE *out, unsigned table, bool gentle)
{
    const char *name = parking_tables[table].name;
    unsigned count = 1, column;

    while (count < PARKING_COLUMNS && parking_tables[table].columns[count] != NULL)
        count++;
    column = parking_pick(count);
    switch (parking_pick(6)) {
    case 0:
    case 1:
        (void)fprintf(out, "DELETE FROM %s WHERE id = ", name);
        put_key(out, table);
        break;
    case 2:
    case 3:
        (void)fprintf(out, "UPDATE %s SET %.*s = ", name,
                      (int)strcspn(parking_tables[table].columns[column], "'"),
                      parking_tables[table].columns[column]);
        put_value(out, parking_tables[table].columns[column]);
        (void)fputs(" WHERE id = ", out);
        put_key(out, table);
        break;
    default:
        (void)fprintf(out, "INSERT %sINTO %s (id", gentle ? "" : "OR REPLACE ", name);
        put_columns(out, table, false);
        (void)fputs(") VALUES (", out);
        put_key(out, table);
        put_columns(out, table, true);
        (void)fputs(")", out);
    }
    (void)fputs(";", out);
}

void parking_write_somewhere(struct apply_node *node, bool gentle)
{
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);
    unsigned count = 1 + parking_pick(4), table = parking_pick(PARKING_TABLES);

    (void)fputs("BEGIN;", out);
    for (unsigned i = 0; i < count; i++)
        put_statement(out, parking_pick(3) == 0 ? parking_pick(PARKING_TABLES) : table,
                      gentle);
    (void)fputs("COMMIT", out);
    (void)fclose(out);
    if (sqlite3_exec(node->scan.application, sql, NULL, NULL, NULL) != SQLITE_OK)
        (void)sqlite3_exec(node->scan.application, "ROLLBACK", NULL, NULL, NULL);
    free(sql);
    node->scan.now_us += 1000000 + parking_pick(100000);
    apply_touch(node);
}
