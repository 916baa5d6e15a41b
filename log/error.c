#include "log/error.h"

#include <assert.h>
#include <errno.h>
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

/* What the user can do about it; NULL when the reason says all there is. */
static const char *way_out(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return "check its name, or mount what it is on";
    case EACCES:
    case EPERM:
        return "give this user the right to it";
    case EROFS:
        return "mount it for writing";
    case ENOSPC:
    case EDQUOT:
        return "free some disk space";
    case EFBIG:
        return "let files be larger (ulimit -f), or use another file system";
    case EMFILE:
    case ENFILE:
        return "let more files be open at once (ulimit -n)";
    case EIO:
        return "check the disk, and try again";
    default:
        return NULL;
    }
}

bool error_is_no_room(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

enum status error_set_errno(struct error *err, enum status code, const char *what)
{
    const char *why = strerror(errno), *out = way_out(errno);

    return out == NULL ? error_set(err, code, "%s: %s", what, why)
                       : error_set(err, code, "%s: %s: %s", what, why, out);
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
