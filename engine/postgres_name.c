#include "engine/postgres_name.h"

#include <string.h>

static const char *without_public(const char *name)
{
    static const char schema[] = "public.";

    return strncmp(name, schema, sizeof schema - 1) == 0 ? name + sizeof schema - 1
                                                         : name;
}

/* The next character of a quoted name without its quotes; 0 at the end. */
static char next(const char **name, bool *quoted)
{
    for (;; ++*name) {
        if (**name != '"')
            break;
        if (*quoted && (*name)[1] == '"') {
            ++*name;
            break;
        }
        *quoted = !*quoted;
    }
    if (**name == '\0')
        return '\0';
    return *(*name)++;
}

void postgres_put_plain_name(struct buffer *out, const char *local_name)
{
    bool quoted = false;
    char letter;

    local_name = without_public(local_name);
    while ((letter = next(&local_name, &quoted)) != '\0')
        buffer_put(out, (uint8_t)letter, 1);
}

bool postgres_name_is(const char *local_name, const char *said)
{
    bool quoted = false;
    char letter;

    local_name = without_public(local_name);
    said = without_public(said);
    if (strcmp(local_name, said) == 0)
        return true;
    while ((letter = next(&local_name, &quoted)) == *said && letter != '\0')
        said++;
    return letter == *said;
}
