/* The tables of a stream of pgoutput: which logged definition the rows of a relation are
 * written under, and their values.
 *
 * A stream tells of tables as they were when its transactions committed, the catalog as
 * they are now. So the definition of a relation is the newest of this node's own that has
 * its columns, of whatever age; when none has, one is made: the catalog's, if that is as
 * the relation, else the catalog's with the relation's columns. */
#ifndef CAPTURE_POSTGRES_RELATIONS_H
#define CAPTURE_POSTGRES_RELATIONS_H

#include "capture/pgoutput.h"
#include "capture/postgres_taken.h"
#include "capture/row_layer.h"
#include "engine/catalog.h"
#include "engine/postgres_connection.h"
#include "engine/table_rules.h"

struct postgres_relations;

/* postgres, for questions of types and stored values, rules (NULL: none) and taken must
 * outlive it. node: whose definitions are asked for. Rows of relations that are not among
 * the taken ones are passed over. On success the caller closes it. */
MUST_CHECK enum status postgres_relations_open(struct postgres_relations **out,
                                               struct postgres *postgres, uint64_t node,
                                               const struct table_rules *rules,
                                               const struct postgres_taken *taken,
                                               struct error *err);
void postgres_relations_close(struct postgres_relations *relations);

/* What the catalog says now; it is the caller's and outlives its use here. Relations that
 * are known stay as they are. */
void postgres_relations_set_catalog(struct postgres_relations *relations,
                                    const struct catalog *catalog);

/* Remember a RELATION message (copied). */
MUST_CHECK enum status postgres_relations_take(struct postgres_relations *relations,
                                               const struct pgoutput_message *message,
                                               struct error *err);

struct postgres_relation;

/* What is to be done before a relation's rows can be taken. */
enum relation_need {
    RELATION_READY,   /* nothing */
    RELATION_FOREIGN, /* it is not replicated from here: its rows are passed over */
    RELATION_NEW      /* *definition is to be logged first */
};

/* The relation with this oid, by the definitions that the store of txn has logged.
 * *definition, for definition_close(), with RELATION_NEW; NULL else. CORRUPT: the stream
 * has not told of it. REFUSED: it can't be replicated any more. */
MUST_CHECK enum status postgres_relations_find(struct postgres_relations *relations,
                                               struct store_txn *txn, uint32_t oid,
                                               enum relation_need *need,
                                               struct postgres_relation **out,
                                               struct definition **definition,
                                               struct error *err);

struct row_layer *postgres_relation_layer(struct postgres_relation *relation);
uint32_t postgres_relation_table(const struct postgres_relation *relation); /* its id */

/* Take a tuple's values into the room of the relation's layer, or into one for the row
 * before, *values: what is unchanged out of line is absent. Views live as long as the
 * tuple, and until the next call of the same. CORRUPT: not as many columns as the
 * relation has, a value that its type does not print. */
MUST_CHECK enum status postgres_relation_take(struct postgres_relation *relation,
                                              const struct pgoutput_tuple *tuple,
                                              struct error *err);
MUST_CHECK enum status postgres_relation_take_old(struct postgres_relation *relation,
                                                  const struct pgoutput_tuple *tuple,
                                                  struct value **values,
                                                  struct error *err);
const struct definition *
postgres_relation_definition(const struct postgres_relation *relation);

#endif
