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

/* ".5", ",250": in *us, a value that stands for *span_us of them. False: no digit. */
static bool take_fraction(const char **text, uint64_t *us, uint64_t *span_us)
{
    const char *at = *text;

    if (*at != '.' && *at != ',')
        return true;
    *us = 0;
    *span_us = 1000000;
    for (at++; *at >= '0' && *at <= '9'; at++) {
        if (*span_us == 1)
            continue; /* finer than a stamp */
        *span_us /= 10;
        *us += (uint64_t)(*at - '0') * *span_us;
    }
    *text = at;
    return *span_us < 1000000;
}

static bool take_two_digits(const char **text, int64_t most, int64_t *out)
{
    const char *at = *text;

    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *out = (int64_t)(at[0] - '0') * 10 + (at[1] - '0');
    *text = at + 2;
    return *out <= most;
}

/* "", "Z", "+01", "+0100", "+01:00" to the end of text: seconds east of Greenwich. */
static bool read_zone(const char *text, int64_t *east)
{
    int64_t hours, minutes = 0;
    char sign = *text;

    *east = 0;
    if (sign == '\0' || strcmp(text, "Z") == 0)
        return true;
    if (sign != '+' && sign != '-')
        return false;
    text++;
    if (!take_two_digits(&text, 23, &hours))
        return false;
    if (*text != '\0') {
        text += *text == ':';
        if (!take_two_digits(&text, 59, &minutes) || *text != '\0')
            return false;
    }
    *east = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

static bool read_time(const char *text, struct moment *out)
{
    static const struct {
        const char *form;
        uint64_t span_us;
    } forms[] = {
        {"%Y-%m-%d %H:%M:%S", 1000000                  },
        {"%Y-%m-%dT%H:%M:%S", 1000000                  },
        {"%Y-%m-%d %H:%M",    60000000                 },
        {"%Y-%m-%dT%H:%M",    60000000                 },
        {"%Y-%m-%d",          UINT64_C(86400) * 1000000},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i].form, &tm);
        uint64_t us = 0, span_us = forms[i].span_us;
        int64_t seconds, east;

        if (end == NULL || (span_us == 1000000 && !take_fraction(&end, &us, &span_us)) ||
            !read_zone(end, &east))
            continue;
        seconds = (int64_t)timegm(&tm) - east;
        if (seconds < 0)
            continue;
        out->since_us = (uint64_t)seconds * 1000000 + us;
        out->until_us = out->since_us + span_us - 1;
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
        out->since_us = span_us < now_us ? now_us - span_us : 0;
        out->until_us = out->since_us;
        return STATUS_OK;
    }
    if (read_time(text, out))
        return STATUS_OK;
    return error_set(
        err, STATUS_USAGE,
        "%s %s: give a seq (120), a time (2026-11-23 14:30, in UTC, or with a zone: "
        "14:30+01:00), or how long ago (90s, 15m, 2h, 3d)",
        option, text);
}
