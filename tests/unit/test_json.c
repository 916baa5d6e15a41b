#include "cli/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static char *text;
static size_t size;

static const char *printed(json_t *value)
{
    FILE *out = open_memstream(&text, &size);
    json_t *object = json_make_object();

    cr_assert_not_null(out);
    json_put(object, "v", value);
    json_print(out, object);
    cr_assert_eq(fclose(out), 0);
    return text;
}

static struct value integer(int64_t number)
{
    return (struct value){.type = VALUE_INTEGER, .integer = number};
}

static struct value real(double number)
{
    return (struct value){.type = VALUE_REAL, .real = number};
}

static struct value bytes(enum value_type type, const char *content, size_t count)
{
    return (struct value){
        .type = type, .bytes = {(const uint8_t *)content, count}
    };
}

static void expect(const char *expected, struct value value)
{
    char object[80];

    (void)snprintf(object, sizeof object, "{\"v\":%s}", expected);
    cr_expect_str_eq(printed(json_value(&value)), object, "%s", text);
    free(text);
}

Test(json, writes_every_value_as_the_document_says)
{
    expect("null", bytes(VALUE_NULL, NULL, 0));
    expect("9223372036854775807", integer(INT64_MAX));
    expect("-9223372036854775808", integer(INT64_MIN));
    expect("0.1", real(0.1));
    expect("3.0", real(3));
    expect("0.30000000000000004", real(0.1 + 0.2));
    expect("-0.0", real(-0.0));
    expect("{\"real\":\"Infinity\"}", real(INFINITY));
    expect("{\"real\":\"-Infinity\"}", real(-INFINITY));
    expect("{\"real\":\"NaN\"}", real(NAN));
    expect("\"a\\\"\xc3\xa4\"", bytes(VALUE_TEXT, "a\"\xc3\xa4", 4));
    expect("\"\"", bytes(VALUE_TEXT, "", 0));
    expect("{\"text64\":\"YQBi\"}", bytes(VALUE_TEXT, "a\0b", 3));
    expect("{\"text64\":\"/w==\"}", bytes(VALUE_TEXT, "\xff", 1));
    expect("{\"blob64\":\"AP8=\"}", bytes(VALUE_BLOB, "\0\xff", 2));
    expect("{\"blob64\":\"\"}", bytes(VALUE_BLOB, "", 0));
}

Test(json, writes_versions_and_times_as_text)
{
    struct version version = {5, 0xab, 7, 2};
    json_t *object = json_make_object();
    FILE *out = open_memstream(&text, &size);

    json_put_version(object, "version", &version);
    json_put_time(object, "time", 1000001);
    json_put_time(object, "base", 0);
    json_put_node(object, "node", 0xab);
    json_print_line(out, object);
    cr_assert_eq(fclose(out), 0);
    cr_expect_str_eq(text, "{\"version\":\"5.00000000000000ab.7.2\","
                           "\"time\":\"1970-01-01T00:00:01.000001Z\",\"base\":null,"
                           "\"node\":\"00000000000000ab\"}\n");
    free(text);
}

Test(json, repairs_a_column_name_that_is_not_utf8)
{
    json_t *object = json_make_object();
    FILE *out = open_memstream(&text, &size);

    json_put_number(object, "a\xff", 1);
    json_print(out, object);
    cr_assert_eq(fclose(out), 0);
    cr_expect_str_eq(text, "{\"a?\":1}");
    free(text);
}
