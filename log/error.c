#include "log/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *err, enum status code, const char *format, ...)
{
    char text[sizeof err->text]; /* an argument may be err->text itself */
    va_list arguments;

    assert(err != NULL);
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            *at = ' ';
    }
    memcpy(err->text, text, strlen(text) + 1);
    return code;
}

enum status error_wrap(struct error *err, enum status code, const char *what)
{
    struct error callee;

    assert(err != NULL);
    assert(what != NULL);
    callee = *err;
    return error_set(err, code, "%s: %s", what, callee.text);
}

const char *status_text(enum status code)
{
    static const char *const texts[] = {
#define STATUS_TEXT(name, text) [STATUS_##name] = (text),
        STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    };

    if ((size_t)code >= sizeof texts / sizeof *texts)
        return "unknown status";
    return texts[code];
}
