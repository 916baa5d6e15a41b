#include "engine/lsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct lsn_text lsn_format(uint64_t lsn)
{
    struct lsn_text out;

    (void)snprintf(out.text, sizeof out.text, "%" PRIX32 "/%" PRIX32,
                   (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return out;
}

/* Read one half; return what follows it, or NULL. */
static const char *parse_half(const char *text, uint64_t *half)
{
    size_t size = strspn(text, "0123456789abcdefABCDEF");

    if (size < 1 || size > 8)
        return NULL;
    *half = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned char)text[i];

        *half = *half << 4 | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return text + size;
}

enum status lsn_parse(const char *text, uint64_t *lsn, struct error *err)
{
    uint64_t high, low;
    const char *rest = text == NULL ? NULL : parse_half(text, &high);

    if (rest != NULL && *rest == '/')
        rest = parse_half(rest + 1, &low);
    else
        rest = NULL;
    if (rest == NULL || *rest != '\0')
        return error_set(err, STATUS_CORRUPT, "'%s' is not an LSN",
                         text == NULL ? "" : text);
    *lsn = high << 32 | low;
    return STATUS_OK;
}
