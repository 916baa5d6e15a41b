#include "tests/simulation/model_schema.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define NUMBER(column, count)                             \
    {                                                     \
        .name = (column), .parent = -1, .values = (count) \
    }
#define REFERENCE(column, table)                                  \
    {                                                             \
        .name = (column), .parent = (table), .values = MODEL_KEYS \
    }
#define TEXT(column, count)                                                \
    {                                                                      \
        .name = (column), .is_text = true, .parent = -1, .values = (count) \
    }
#define LETTER(column, count)                                             \
    {                                                                     \
        .name = (column), .is_text = true, .no_case = true, .parent = -1, \
        .values = (count)                                                 \
    }

static const char staff_sql[] =
    "CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE,"
    " boss INTEGER REFERENCES team(id), note INTEGER);"
    "CREATE TABLE person (id INTEGER PRIMARY KEY, team INTEGER REFERENCES team(id),"
    " email TEXT UNIQUE, seat INTEGER, note INTEGER);"
    "CREATE UNIQUE INDEX person_seat ON person(seat) WHERE seat > 1;"
    "CREATE TABLE badge (id INTEGER PRIMARY KEY,"
    " person INTEGER REFERENCES person(id), code INTEGER, note INTEGER,"
    " UNIQUE (person, code)) WITHOUT ROWID;";

static const char circle_sql[] =
    "CREATE TABLE dept (id INTEGER PRIMARY KEY,"
    " head INTEGER REFERENCES employee(id), name TEXT COLLATE NOCASE, note INTEGER);"
    "CREATE UNIQUE INDEX dept_name ON dept(name);"
    "CREATE TABLE employee (id INTEGER PRIMARY KEY,"
    " dept INTEGER REFERENCES dept(id), email TEXT UNIQUE, note INTEGER);"
    "CREATE TABLE visit (id INTEGER PRIMARY KEY,"
    " employee INTEGER REFERENCES employee(id), slot INTEGER UNIQUE);";

const struct model_schema model_schemas[MODEL_SCHEMAS] = {
    {
     .name = "staff",
     .sql = staff_sql,
     .table_count = 3,
     .tables =
            {{.name = "badge",
              .group = 2,
              .columns = {REFERENCE("person", 1), NUMBER("code", 3), NUMBER("note", 3)},
              .column_count = 3,
              .uniques = {{0x3, MODEL_NULL}},
              .unique_count = 1},
             {.name = "person",
              .group = 1,
              .columns = {REFERENCE("team", 2), TEXT("email", 4), NUMBER("seat", 4),
                          NUMBER("note", 3)},
              .column_count = 4,
              .uniques = {{0x2, MODEL_NULL}, {0x4, 1}},
              .unique_count = 2},
             {.name = "team",
              .group = 0,
              .columns = {LETTER("name", 6), REFERENCE("boss", 2), NUMBER("note", 3)},
              .column_count = 3,
              .uniques = {{0x1, MODEL_NULL}},
              .unique_count = 1}},
     },
    {
     .name = "circle",
     .sql = circle_sql,
     .table_count = 3,
     .tables =
            {{.name = "dept",
              .group = 0,
              .columns = {REFERENCE("head", 1), LETTER("name", 6), NUMBER("note", 3)},
              .column_count = 3,
              .uniques = {{0x2, MODEL_NULL}},
              .unique_count = 1},
             {.name = "employee",
              .group = 0,
              .columns = {REFERENCE("dept", 0), TEXT("email", 4), NUMBER("note", 3)},
              .column_count = 3,
              .uniques = {{0x2, MODEL_NULL}},
              .unique_count = 1},
             {.name = "visit",
              .group = 1,
              .columns = {REFERENCE("employee", 1), NUMBER("slot", 4)},
              .column_count = 2,
              .uniques = {{0x2, MODEL_NULL}},
              .unique_count = 1}},
     },
};

/* Upper and lower case of a letter are neighbours: value / 2 is what NOCASE compares. */
static const char *const texts[] = {"a", "A", "b", "B", "c", "C"};

enum { TEXTS = sizeof texts / sizeof *texts };

const char *model_text(int value)
{
    assert(value >= 0);
    assert(value < (int)TEXTS);
    return texts[value];
}

int model_number(const char *text)
{
    for (int i = 0; i < (int)TEXTS; i++) {
        if (strcmp(texts[i], text) == 0)
            return i;
    }
    return -2;
}
