/* Column defaults as pg_get_expr() prints them. Pure. */
#ifndef ENGINE_POSTGRES_DEFAULT_H
#define ENGINE_POSTGRES_DEFAULT_H

#include <stdbool.h>

/* Whether it is a constant: a number, text, NULL or a truth value, maybe in parentheses
 * and with types to cast it to. What calls or combines anything is none, whatever it
 * would give: who asks for its value must not move a sequence. */
bool postgres_default_is_constant(const char *default_sql);

#endif
