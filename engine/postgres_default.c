#include "engine/postgres_default.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 16 }; /* of parentheses */

static void skip_blanks(const char **at)
{
    while (**at == ' ')
        (*at)++;
}

/* Text or a name between two of these, which stand doubled inside. */
static bool skip_quoted(const char **at, char quote)
{
    const char *next = *at;

    if (*next++ != quote)
        return false;
    for (; *next != '\0'; next++) {
        if (*next != quote)
            continue;
        next++;
        if (*next != quote) {
            *at = next;
            return true;
        }
    }
    return false;
}

static bool skip_number(const char **at)
{
    const char *next = *at;

    if (*next == '-')
        next++;
    if (!isdigit((unsigned char)*next))
        return false;
    while (isdigit((unsigned char)*next) || *next == '.')
        next++;
    *at = next;
    return true;
}

static bool skip_word(const char **at, const char *word)
{
    size_t size = strlen(word);

    if (strncmp(*at, word, size) != 0 || isalnum((unsigned char)(*at)[size]) ||
        (*at)[size] == '_' || (*at)[size] == '(')
        return false;
    *at += size;
    return true;
}

/* numeric(10,2), character varying(5)[], public."Odd type" */
static bool skip_type(const char **at)
{
    const char *first = *at;
    const char *next = first;

    for (;;) {
        if (*next == '"') {
            if (!skip_quoted(&next, '"'))
                return false;
        } else if (*next == '(' || *next == '[') {
            next += 1 + strspn(next + 1, "0123456789,-");
            if (*next != ')' && *next != ']')
                return false;
            next++;
        } else if (isalnum((unsigned char)*next) || *next == '_' || *next == '.' ||
                   *next == ' ' || (unsigned char)*next >= 0x80) {
            next++;
        } else {
            break;
        }
    }
    *at = next;
    return next > first;
}

/* ('now'::text)::date is of the day on which it is read; 'now'::date was read when the
 * default was made. */
static bool is_moment(const char *text)
{
    static const char *const moments[] = {"'now'", "'today'", "'tomorrow'",
                                          "'yesterday'"};

    while (*text == '(')
        text++;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        const char *cast = strstr(text, "::");

        if (strncasecmp(text, moments[i], strlen(moments[i])) == 0)
            return cast != NULL && strstr(cast + 2, "::") != NULL;
    }
    return false;
}

static bool skip_constant(const char **at, unsigned depth)
{
    bool constant;

    if (**at == '(') {
        (*at)++;
        if (depth == DEPTH_MAX || !skip_constant(at, depth + 1) || **at != ')')
            return false;
        (*at)++;
        constant = true;
    } else {
        constant = skip_quoted(at, '\'') || skip_number(at) || skip_word(at, "NULL") ||
                   skip_word(at, "true") || skip_word(at, "false");
    }
    skip_blanks(at);
    while (constant && strncmp(*at, "::", 2) == 0) {
        *at += 2;
        constant = skip_type(at);
    }
    return constant;
}

bool postgres_default_is_constant(const char *default_sql)
{
    const char *at = default_sql;

    return skip_constant(&at, 0) && *at == '\0' && !is_moment(default_sql);
}
