/* The sections [table NAME] of rowferry.ini: rules of tables as text. Private to config.
 */
#ifndef NODE_CONFIG_TABLES_H
#define NODE_CONFIG_TABLES_H

#include "engine/table_rules.h"

#include <stdio.h>

/* Find the sections in a whole file's text, add a rule for each table, and write over
 * each name with its number in rules->list: inih would cut a longer one in silence, and
 * end it at the first "]". NAME goes from the word table to the last character of the
 * line but one, without blanks around it. UNAVAILABLE: another section, or none of this
 * form; the text begins with the line's number. */
MUST_CHECK enum status config_tables_find(struct table_rules *rules, char *text,
                                          struct error *err);

/* The rule that section names; NULL: it is not such a section. */
struct table_rule *config_tables_of(struct table_rules *rules, const char *section);

/* Set what one line says. UNAVAILABLE: an unknown name or value. */
MUST_CHECK enum status config_tables_set(struct table_rule *rule, const char *name,
                                         const char *value, struct error *err);

/* Write the sections, or an example as a comment. */
void config_tables_write(FILE *file, const struct table_rules *rules);

bool config_tables_same(const struct table_rules *a, const struct table_rules *b);

#endif
