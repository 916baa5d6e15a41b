#include "engine/sqlite_row.h"

#include <assert.h>

enum status sqlite_column_value(sqlite3_stmt *statement, int column, struct value *out,
                                struct error *err)
{
    bool lacks_memory = false;

    *out = (struct value){0};
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        out->type = VALUE_INTEGER;
        out->integer = sqlite3_column_int64(statement, column);
        break;
    case SQLITE_FLOAT:
        out->type = VALUE_REAL;
        out->real = sqlite3_column_double(statement, column);
        break;
    case SQLITE_TEXT:
        out->type = VALUE_TEXT;
        /* The text first: from UTF-16 it is converted now, and its size is that after it.
         * Without memory for that it is NULL. */
        out->bytes.data = sqlite3_column_text(statement, column);
        out->bytes.size = (size_t)sqlite3_column_bytes(statement, column);
        lacks_memory = out->bytes.data == NULL;
        break;
    case SQLITE_BLOB:
        out->type = VALUE_BLOB;
        out->bytes.data = sqlite3_column_blob(statement, column);
        out->bytes.size = (size_t)sqlite3_column_bytes(statement, column);
        lacks_memory = out->bytes.data == NULL && out->bytes.size > 0;
        break;
    default:
        out->type = VALUE_NULL;
        break;
    }
    if (!lacks_memory)
        return STATUS_OK;
    *out = (struct value){0};
    return error_set(err, STATUS_NO_MEMORY, "read a value: out of memory");
}

void sqlite_value_take(sqlite3_value *value, struct value *out)
{
    *out = (struct value){.type = VALUE_ABSENT};
    if (value == NULL)
        return;
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        out->type = VALUE_INTEGER;
        out->integer = sqlite3_value_int64(value);
        break;
    case SQLITE_FLOAT:
        out->type = VALUE_REAL;
        out->real = sqlite3_value_double(value);
        break;
    case SQLITE_TEXT:
        out->type = VALUE_TEXT;
        out->bytes.data = sqlite3_value_text(value);
        out->bytes.size = (size_t)sqlite3_value_bytes(value);
        break;
    case SQLITE_BLOB:
        out->type = VALUE_BLOB;
        out->bytes.data = sqlite3_value_blob(value);
        out->bytes.size = (size_t)sqlite3_value_bytes(value);
        break;
    default:
        out->type = VALUE_NULL;
        break;
    }
}

enum status sqlite_bind_value(struct sqlite_database *database, sqlite3_stmt *statement,
                              int parameter, const struct value *value, struct error *err)
{
    /* A NULL pointer would bind NULL. */
    const void *data = value->bytes.data != NULL ? (const void *)value->bytes.data : "";
    int rc = SQLITE_OK;

    assert(value->type != VALUE_KEY);
    switch (value->type) {
    case VALUE_NULL:
    case VALUE_ABSENT:
    case VALUE_KEY:
        rc = sqlite3_bind_null(statement, parameter);
        break;
    case VALUE_INTEGER:
        rc = sqlite3_bind_int64(statement, parameter, value->integer);
        break;
    case VALUE_REAL:
        rc = sqlite3_bind_double(statement, parameter, value->real);
        break;
    case VALUE_TEXT:
    case VALUE_TYPED:
        rc = sqlite3_bind_text64(statement, parameter, data, value->bytes.size,
                                 SQLITE_STATIC, SQLITE_UTF8);
        break;
    case VALUE_BLOB:
        rc = sqlite3_bind_blob64(statement, parameter, data, value->bytes.size,
                                 SQLITE_STATIC);
        break;
    }
    return rc == SQLITE_OK ? STATUS_OK : sqlite_failed(database, "bind a value", err);
}
