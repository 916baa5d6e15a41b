/* JSON as docs/JSON.md has it: 64-bit integers as integers, versions as strings, and what
 * JSON has no form for as an object that says what it is.
 *
 * Making one never fails to its caller: out of memory ends the process, with its line. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "log/definition.h"
#include "log/image.h"
#include "log/version.h"

#include <jansson.h>
#include <stdio.h>

json_t *json_make_object(void);
json_t *json_make_array(void);

/* Set a member, append an element; value is taken over. */
void json_put(json_t *object, const char *key, json_t *value);
void json_append(json_t *array, json_t *value);

void json_put_number(json_t *object, const char *key, uint64_t number);
void json_put_text(json_t *object, const char *key, const char *text);
void json_put_bool(json_t *object, const char *key, bool value);
void json_put_version(json_t *object, const char *key, const struct version *version);
void json_put_node(json_t *object, const char *key, uint64_t node);
/* A time, or null for 0. */
void json_put_time(json_t *object, const char *key, uint64_t stamp_us);

json_t *json_text(struct bytes text);
json_t *json_value(const struct value *value);

/* {column: value} of a key; of an image, absent columns left out. */
json_t *json_key(struct bytes key, const struct definition *definition);
json_t *json_row(const struct image *image, const struct definition *definition);

/* Print as one line without its newline, and give it back; and with the newline. */
void json_print(FILE *out, json_t *value);
void json_print_line(FILE *out, json_t *value);

#endif
