/* What a value becomes when Postgres stores it: said at once where text, number and type
 * leave no question, else asked of the server, which is what its type's input function
 * makes of the text: what a trigger or a rule does with it is not known here. */
#ifndef ENGINE_POSTGRES_STORED_H
#define ENGINE_POSTGRES_STORED_H

#include "engine/postgres_connection.h"
#include "engine/stored.h"
#include "log/definition.h"

/* postgres and definition, the database's own, must outlive this. On success the caller
 * closes it, while postgres is still open. In a transaction it asks within a savepoint,
 * so that a refusal does not end it (two more turns each: where many are asked, give it a
 * connection outside of one). Its CONSTRAINT: the type takes no such value, a domain's
 * check forbids it. The rest is as postgres_failed() says. */
MUST_CHECK enum status postgres_stored_open(struct stored **out,
                                            struct postgres *postgres,
                                            const struct definition *definition,
                                            struct error *err);

#endif
