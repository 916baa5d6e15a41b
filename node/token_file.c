#include "node/token_file.h"

#include "node/path.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { TOKEN_FILE_MAX = 4096 };

enum status token_file_read(struct identity *identity, const char *path,
                            struct error *err)
{
    char text[TOKEN_FILE_MAX];
    bool piped = strcmp(path, "-") == 0;
    FILE *file = piped ? stdin : fopen(path, "re");
    size_t size;
    enum status status;

    if (file == NULL)
        return path_failed(err, path);
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    if (!piped)
        (void)fclose(file);
    status = token_read(identity, text, err);
    sodium_memzero(text, sizeof text);
    return status == STATUS_OK ? status
                               : error_wrap(err, status, piped ? "standard input" : path);
}
