/* Status codes, and the reason of a failure for people.
 *
 * Codes are for code: each exists because some caller acts on it. The text says what,
 * where and what to do, and is printed once, at the top. */
#ifndef LOG_ERROR_H
#define LOG_ERROR_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

#define STATUS_MAP(X)                                            \
    X(OK, "success")                                             \
    X(NO_MEMORY, "out of memory")                                \
    X(IO, "storage or network failed; may be retried")           \
    X(FULL, "no room left on the disk")                          \
    X(CORRUPT, "bytes do not decode; must not be retried")       \
    X(NOT_FOUND, "no such thing")                                \
    X(CONSTRAINT, "the database refuses this row")               \
    X(BUSY, "locked by somebody else; may be retried")           \
    X(UNAVAILABLE, "missing, unreadable, or of a newer format")  \
    X(REFUSED, "refused, with a way out that a script can take") \
    X(DIFFERENT, "compared, and not equal")                      \
    X(USAGE, "wrong use of a command")

enum status {
#define STATUS_ENUM(name, text) STATUS_##name,
    STATUS_MAP(STATUS_ENUM)
#undef STATUS_ENUM
};

/* The reason of the last failure. Lives on the caller's stack. */
struct error {
    char text[1024]; /* always NUL-terminated; cut, never overrun */
};

/* Write the reason into err and return code, so that failing is one line. The reason is
 * one line, too: statements and names bring line ends and worse, which become blanks. */
enum status error_set(struct error *err, enum status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Write "what: why: what to do about it" for errno; return code. */
enum status error_set_errno(struct error *err, enum status code, const char *what);

/* Whether errno's code says that there is no room: the disk's, a quota's, or the largest
 * file's that is allowed. */
bool error_is_no_room(int code);

/* Put "what: " before the reason that a callee left in err; return code. */
enum status error_wrap(struct error *err, enum status code, const char *what);

/* The code's own short text, never NULL. */
const char *status_text(enum status code);

#endif
