/* Fleets, nodes and tokens: how identities are made and what lets a new node join. */
#ifndef LOG_IDENTITY_H
#define LOG_IDENTITY_H

#include "log/store.h"

/* A new node with a new fleet; name is cut from nothing: 1 to NODE_NAME_MAX bytes of
 * UTF-8 without control characters, else USAGE. */
MUST_CHECK enum status identity_make(struct identity *out, const char *name,
                                     struct error *err);

/* Put the node's id above those of all that join, or below the founder's: the highest bit
 * is set, or not. So of two base rows with one key (log/version.h) the founder's wins.
 * What else there is to the id stays. */
void identity_rank(struct identity *identity, bool founds);

/* The token: "rowferry-join-1:" base64(fleet id, key generation 4, key) ":" checksum, no
 * newline. text has room for TOKEN_TEXT_SIZE. */
enum { TOKEN_TEXT_SIZE = 160 };
void token_text(const struct identity *identity, char text[TOKEN_TEXT_SIZE]);

/* Put fleet id and key of a token (surrounding white space allowed) into identity.
 * REFUSED: not a token, of another version, or its checksum is wrong. */
MUST_CHECK enum status token_read(struct identity *identity, const char *text,
                                  struct error *err);

#endif
