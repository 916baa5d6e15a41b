#include "cli/moment.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool read_span(const char *unit, uint64_t number, uint64_t *out_us)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {
        {'s', 1    },
        {'m', 60   },
        {'h', 3600 },
        {'d', 86400}
    };

    if (unit[0] == '\0' || unit[1] != '\0' || number > 1000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].letter == unit[0]) {
            *out_us = number * units[i].seconds * 1000000;
            return true;
        }
    }
    return false;
}

static bool read_time(const char *text, uint64_t *out_us)
{
    static const char *const forms[] = {
        "%Y-%m-%d",          "%Y-%m-%d %H:%M",    "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        time_t seconds;

        if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0))
            continue;
        seconds = timegm(&tm);
        if (seconds < 0)
            continue;
        *out_us = (uint64_t)seconds * 1000000;
        return true;
    }
    return false;
}

enum status moment_read(const char *option, const char *text, uint64_t now_us,
                        struct moment *out, struct error *err)
{
    bool is_number = *text >= '0' && *text <= '9';
    char *end = NULL;
    uint64_t number, span_us = 0;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (is_number && errno == 0 && *end == '\0') {
        *out = (struct moment){.is_seq = true, .seq = number};
        return STATUS_OK;
    }
    *out = (struct moment){0};
    if (is_number && errno == 0 && read_span(end, number, &span_us)) {
        out->time_us = span_us < now_us ? now_us - span_us : 0;
        return STATUS_OK;
    }
    if (read_time(text, &out->time_us))
        return STATUS_OK;
    return error_set(
        err, STATUS_USAGE,
        "%s %s: give a seq (120), a time (2026-11-23 14:30, UTC), or how long "
        "ago (90s, 15m, 2h, 3d)",
        option, text);
}
