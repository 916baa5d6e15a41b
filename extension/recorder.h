/* A recorder's inner side: what the SQL functions need of it beyond the public header. */
#ifndef EXTENSION_RECORDER_H
#define EXTENSION_RECORDER_H

#include "extension/rowferry_sqlite.h"

/* Give back all that would keep the connection from closing; the next commit starts
 * anew. */
void recorder_let_go(struct rowferry_recorder *recorder);

/* The transaction in which the last commit was called is over. */
void recorder_transaction_ended(struct rowferry_recorder *recorder);

/* As rowferry_recorder_close(), for when the connection is being closed. */
void recorder_free(struct rowferry_recorder *recorder);

#endif
