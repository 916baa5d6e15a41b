/* A file that holds a token. */
#ifndef NODE_TOKEN_FILE_H
#define NODE_TOKEN_FILE_H

#include "log/identity.h"

/* Put fleet id and key into identity. path: "-" for standard input. UNAVAILABLE: not
 * readable. REFUSED: not a token. */
MUST_CHECK enum status token_file_read(struct identity *identity, const char *path,
                                       struct error *err);

#endif
