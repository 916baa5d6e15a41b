/* How tables of this database take part in the fleet, as far as their owner says: which
 * of them, under which names, by which keys, in which directions. Plain data; most tables
 * have no rule. Pure. */
#ifndef ENGINE_TABLE_RULES_H
#define ENGINE_TABLE_RULES_H

#include "log/buffer.h"
#include "log/error.h"

enum table_direction {
    TABLE_BOTH,
    TABLE_IN, /* takes the fleet's writes, sends none */
    TABLE_OUT /* sends its own writes, takes none */
};

struct table_rule {
    char *table; /* owned; the database's name of it, as people write it */
    char *name;  /* owned; the fleet's name of it; NULL: not said */
    char *key;   /* owned; a list of columns; NULL: not said */
    enum table_direction direction;
};

/* All zeroes is: every table, as it is. Tables are asked for by a definition's
 * local_name: SQLite's names are the same but for case, Postgres's may be written without
 * quotes and without `public.`. */
struct table_rules {
    bool postgres;           /* the database is Postgres */
    char *only;              /* owned; a list of the database's names; NULL: all tables */
    struct table_rule *list; /* owned */
    size_t count;
};

void table_rules_release(struct table_rules *rules);

/* Replace *text, which is the rules', by a copy. */
MUST_CHECK enum status table_rules_set(char **text, const char *value, struct error *err);

/* The rule for a table, made for this name if there is none. Valid until the next call.
 */
MUST_CHECK enum status table_rules_add(struct table_rules *rules, const char *table,
                                       struct table_rule **out, struct error *err);

/* NULL: there is none. rules may be NULL. */
const struct table_rule *table_rules_find(const struct table_rules *rules,
                                          const char *table);
enum table_direction table_rules_direction(const struct table_rules *rules,
                                           const char *table);

/* Whether the table is among those of only. rules may be NULL. */
MUST_CHECK enum status table_rules_wants(const struct table_rules *rules,
                                         const char *table, bool *wanted,
                                         struct error *err);

/* Equal rules have an equal one. */
uint64_t table_rules_fingerprint(const struct table_rules *rules);

/* Take the next name from a list: names between commas, one with a comma in it in double
 * quotes. False at the end. name ends with a NUL; the caller checks that it has not
 * failed. */
bool name_list_take(const char **list, struct buffer *name);

#endif
