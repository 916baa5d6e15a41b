#include "engine/sqlite_index_sql.h"

#include "log/buffer.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

enum token_kind {
    TOKEN_END,
    TOKEN_SPACE, /* comments too */
    TOKEN_WORD,  /* keywords, plain names, numbers */
    TOKEN_QUOTED,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_OTHER,
};

struct token {
    enum token_kind kind;
    const char *text;
    size_t size;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Where what begins at text ends: just after the first `end` behind its first skip bytes,
 * or at the text's end. */
static size_t size_until(const char *text, size_t skip, const char *end)
{
    const char *found = strstr(text + skip, end);

    return found == NULL ? strlen(text) : (size_t)(found - text) + strlen(end);
}

static size_t size_while(const char *text, bool (*belongs)(char c))
{
    size_t size = 0;

    while (text[size] != '\0' && belongs(text[size]))
        size++;
    return size;
}

/* The token at text. A doubled quote inside a quoted name is two tokens side by side,
 * which comes to the same here. */
static struct token token_at(const char *text)
{
    static const char marks[] = "(),";
    static const enum token_kind kinds[] = {TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA};
    const char *mark;

    if (text[0] == '\0')
        return (struct token){TOKEN_END, text, 0};
    if (is_space(text[0]))
        return (struct token){TOKEN_SPACE, text, size_while(text, is_space)};
    if (strncmp(text, "--", 2) == 0)
        return (struct token){TOKEN_SPACE, text, size_until(text, 2, "\n")};
    if (strncmp(text, "/*", 2) == 0)
        return (struct token){TOKEN_SPACE, text, size_until(text, 2, "*/")};
    if (is_word(text[0]))
        return (struct token){TOKEN_WORD, text, size_while(text, is_word)};
    if (text[0] == '[')
        return (struct token){TOKEN_QUOTED, text, size_until(text, 1, "]")};
    if (text[0] == '"' || text[0] == '\'' || text[0] == '`') {
        const char quote[] = {text[0], '\0'};

        return (struct token){TOKEN_QUOTED, text, size_until(text, 1, quote)};
    }
    mark = strchr(marks, text[0]);
    return (struct token){mark == NULL ? TOKEN_OTHER : kinds[mark - marks], text, 1};
}

static bool token_is(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->size == strlen(word) &&
           sqlite3_strnicmp(token->text, word, (int)token->size) == 0;
}

/* A term or a condition as it is read. */
struct piece {
    struct buffer text;
    size_t end;             /* of its last token: what follows is space */
    size_t last_start;      /* where its last token begins */
    struct token last;      /* not a space */
    enum token_kind before; /* the kind of the one before that */
};

static void piece_add(struct piece *piece, const struct token *token)
{
    if (token->kind == TOKEN_SPACE) {
        if (piece->end > 0)
            buffer_put(&piece->text, ' ', 1);
        return;
    }
    piece->before = piece->end == 0 ? TOKEN_END : piece->last.kind;
    piece->last = *token;
    piece->last_start = piece->text.size;
    buffer_put_bytes(&piece->text,
                     (struct bytes){(const uint8_t *)token->text, token->size});
    piece->end = piece->text.size;
}

/* The last word is a sort order when it follows something that can be sorted: a column
 * may be called desc too. */
static bool ends_with_order(const struct piece *piece)
{
    return (token_is(&piece->last, "asc") || token_is(&piece->last, "desc")) &&
           (piece->before == TOKEN_WORD || piece->before == TOKEN_QUOTED ||
            piece->before == TOKEN_CLOSE);
}

/* The piece's text, copied to the arena; begin a new one. */
static enum status piece_take(struct piece *piece, struct arena *arena, bool is_term,
                              const char **out, struct error *err)
{
    size_t size = is_term && ends_with_order(piece) ? piece->last_start : piece->end;
    enum status status = buffer_check(&piece->text, err);
    char *copy;

    if (status != STATUS_OK)
        return status;
    while (size > 0 && is_space((char)piece->text.data[size - 1]))
        size--;
    if (size == 0)
        return error_set(err, STATUS_CORRUPT, "an index has an empty part");
    copy = arena_take(arena, size + 1, 1);
    if (copy == NULL)
        return error_set(err, STATUS_NO_MEMORY, "index: out of memory");
    memcpy(copy, piece->text.data, size);
    *out = copy;
    buffer_clear(&piece->text);
    piece->end = 0;
    piece->last = (struct token){0};
    return STATUS_OK;
}

/* The terms between the parentheses; *at starts behind the opening one, and ends behind
 * the closing one. */
static enum status take_terms(const char **at, struct piece *piece, struct arena *arena,
                              struct sqlite_index_sql *out, struct error *err)
{
    unsigned depth = 1;

    while (depth > 0) {
        struct token token = token_at(*at);
        enum status status = STATUS_OK;

        if (token.kind == TOKEN_END)
            return error_set(err, STATUS_CORRUPT, "an index has no closing parenthesis");
        *at += token.size;
        depth += token.kind == TOKEN_OPEN;
        depth -= token.kind == TOKEN_CLOSE;
        if (depth == 0 || (depth == 1 && token.kind == TOKEN_COMMA))
            status = piece_take(piece, arena, true, &out->terms[out->term_count++], err);
        else
            piece_add(piece, &token);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status take_where(const char *at, struct piece *piece, struct arena *arena,
                              struct sqlite_index_sql *out, struct error *err)
{
    struct token token = token_at(at);

    while (token.kind == TOKEN_SPACE) {
        at += token.size;
        token = token_at(at);
    }
    if (token.kind == TOKEN_END)
        return STATUS_OK;
    if (!token_is(&token, "where"))
        return error_set(err, STATUS_CORRUPT, "an index ends with other than WHERE");
    at += token.size;
    for (token = token_at(at); token.kind != TOKEN_END; token = token_at(at)) {
        piece_add(piece, &token);
        at += token.size;
    }
    return piece_take(piece, arena, false, &out->where, err);
}

enum status sqlite_index_split(struct arena *arena, const char *sql,
                               struct sqlite_index_sql *out, struct error *err)
{
    struct piece piece = {0};
    struct token token = token_at(sql);
    enum status status;

    *out = (struct sqlite_index_sql){0};
    while (token.kind != TOKEN_OPEN && token.kind != TOKEN_END) {
        sql += token.size;
        token = token_at(sql);
    }
    if (token.kind == TOKEN_END)
        return error_set(err, STATUS_CORRUPT, "an index has no terms");
    sql += token.size;
    /* Each term but the first needs two bytes of the text at least. */
    out->terms = arena_take(arena, strlen(sql) / 2 + 1, sizeof *out->terms);
    if (out->terms == NULL)
        return error_set(err, STATUS_NO_MEMORY, "index: out of memory");
    status = take_terms(&sql, &piece, arena, out, err);
    if (status == STATUS_OK)
        status = take_where(sql, &piece, arena, out, err);
    buffer_release(&piece.text);
    return status;
}
