#include "capture/changeset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What SQLite is given behind the changeset's own bytes: a row that says that all before
 * it was whole, then zeroes. The library does not tell a changeset that is cut between
 * two fields from one that ends there, and looks for ever for the end of a table's header
 * which is not there (3.40; up to 65,536 columns and a name). */
#define END_TABLE "\001end"
static const uint8_t end_mark[] = "T\001\001" END_TABLE "\000\022\000\001\0\0\0\0\0\0\0";
enum { END_ZEROES = 1 << 17 };

struct changeset {
    changeset_piece_cb piece;
    void *data;
    struct bytes rest; /* of the current piece */
    bool ended;
    size_t beyond; /* bytes given behind its end */
    sqlite3_changeset_iter *iterator;
    struct changeset_row row;
    enum status status; /* of piece */
    struct error *err;  /* where it goes: the caller's of the moment */
};

enum status changeset_open(struct changeset **out, changeset_piece_cb piece, void *data,
                           struct error *err)
{
    struct changeset *changeset = calloc(1, sizeof *changeset);

    *out = NULL;
    if (changeset == NULL)
        return error_set(err, STATUS_NO_MEMORY, "changeset: out of memory");
    changeset->piece = piece;
    changeset->data = data;
    *out = changeset;
    return STATUS_OK;
}

void changeset_close(struct changeset *changeset)
{
    if (changeset == NULL)
        return;
    (void)sqlite3changeset_finalize(changeset->iterator);
    free(changeset);
}

static size_t read_end(struct changeset *changeset, uint8_t *out, size_t wanted)
{
    size_t left = sizeof end_mark + END_ZEROES - changeset->beyond;
    size_t marked =
        changeset->beyond < sizeof end_mark ? sizeof end_mark - changeset->beyond : 0;

    if (wanted > left)
        wanted = left;
    if (marked > wanted)
        marked = wanted;
    if (marked > 0)
        memcpy(out, end_mark + changeset->beyond, marked);
    memset(out + marked, 0, wanted - marked);
    changeset->beyond += wanted;
    return wanted;
}

/* SQLite asks for *size bytes at most; 0 tells the end. */
static int read_some(void *data, void *out, int *size)
{
    struct changeset *changeset = data;
    size_t wanted = (size_t)*size;

    if (changeset->rest.size == 0 && !changeset->ended) {
        changeset->status =
            changeset->piece(changeset->data, &changeset->rest, changeset->err);
        if (changeset->status != STATUS_OK)
            return SQLITE_ABORT;
        changeset->ended = changeset->rest.size == 0;
    }
    if (changeset->ended) {
        *size = (int)read_end(changeset, out, wanted);
        return SQLITE_OK;
    }
    if (wanted > changeset->rest.size)
        wanted = changeset->rest.size;
    memcpy(out, changeset->rest.data, wanted);
    changeset->rest.data += wanted;
    changeset->rest.size -= wanted;
    *size = (int)wanted;
    return SQLITE_OK;
}

static enum status from_changeset(struct changeset *changeset, int rc, struct error *err)
{
    if (changeset->status != STATUS_OK)
        return changeset->status;
    if ((rc & 0xff) == SQLITE_NOMEM)
        return error_set(err, STATUS_NO_MEMORY, "changeset: out of memory");
    return error_set(err, STATUS_CORRUPT, "it is cut, or not a changeset");
}

/* One that fits into one piece is read where it is. */
static enum status start(struct changeset *changeset, struct error *err)
{
    int rc = sqlite3changeset_start_strm(&changeset->iterator, read_some, changeset);

    return rc == SQLITE_OK ? STATUS_OK : from_changeset(changeset, rc, err);
}

/* A recorder tells every key column, which is not NULL, and every column of a row that is
 * new. */
static bool is_told(struct changeset *changeset)
{
    const struct changeset_row *row = &changeset->row;
    bool has_key = false;

    for (int i = 0; i < row->column_count; i++) {
        sqlite3_value *value = changeset_value(changeset, i);

        has_key = has_key || row->key[i] != 0;
        if (value == NULL && (row->op == SQLITE_INSERT || row->key[i] != 0))
            return false;
        if (row->key[i] != 0 && sqlite3_value_type(value) == SQLITE_NULL)
            return false;
    }
    return has_key;
}

enum status changeset_next(struct changeset *changeset, struct changeset_row *row,
                           struct error *err)
{
    enum status status = STATUS_OK;
    unsigned char *key = NULL;
    int indirect;
    int rc;

    changeset->err = err;
    if (changeset->iterator == NULL)
        status = start(changeset, err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3changeset_next(changeset->iterator);
    if (rc == SQLITE_ROW)
        rc = sqlite3changeset_op(changeset->iterator, &row->table, &row->column_count,
                                 &row->op, &indirect);
    if (rc == SQLITE_OK)
        rc = sqlite3changeset_pk(changeset->iterator, &key, NULL);
    if (rc != SQLITE_OK)
        return from_changeset(changeset, rc, err);
    if (changeset->beyond > 0 && row->column_count == 1 &&
        strcmp(row->table, END_TABLE) == 0)
        return STATUS_NOT_FOUND;
    row->key = key;
    changeset->row = *row;
    return is_told(changeset) ? STATUS_OK
                              : from_changeset(changeset, SQLITE_CORRUPT, err);
}

sqlite3_value *changeset_value(struct changeset *changeset, int column)
{
    const struct changeset_row *row = &changeset->row;
    sqlite3_value *value = NULL;
    int rc;

    assert(column < row->column_count);
    if (row->op == SQLITE_DELETE || (row->op == SQLITE_UPDATE && row->key[column] != 0))
        rc = sqlite3changeset_old(changeset->iterator, column, &value);
    else
        rc = sqlite3changeset_new(changeset->iterator, column, &value);
    assert(rc == SQLITE_OK);
    return value;
}

sqlite3_value *changeset_before(struct changeset *changeset, int column)
{
    sqlite3_value *value = NULL;
    int rc = SQLITE_OK;

    assert(column < changeset->row.column_count);
    if (changeset->row.op != SQLITE_INSERT)
        rc = sqlite3changeset_old(changeset->iterator, column, &value);
    assert(rc == SQLITE_OK);
    return value;
}

bool changeset_row_fits(const struct changeset_row *row,
                        const struct definition *definition, uint32_t columns_min)
{
    uint32_t told = (uint32_t)row->column_count;

    if (told < columns_min || told > definition->column_count ||
        definition->stored_count != definition->column_count)
        return false;
    for (uint32_t i = 0; i < definition->column_count; i++)
        if ((i < told && row->key[i] != 0) != (definition->columns[i].key_position > 0))
            return false;
    return true;
}
