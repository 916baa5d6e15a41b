#include "tests/support/folder_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder_fixture meeting;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", meeting.err.text)

void meet_in(const char *name)
{
    (void)snprintf(meeting.shared, sizeof meeting.shared, "%s/%s", meeting.stores.folder,
                   name);
    (void)mkdir(meeting.shared, 0777);
    cr_assert_eq(access(meeting.shared, F_OK), 0);
}

void folder_fixture_open(void)
{
    log_fixture_open(&meeting.stores, 3);
    meet_in("shared");
}

void folder_fixture_close(void)
{
    log_fixture_close(&meeting.stores);
}

/* ---- visits */

static void keep_notice(void *data, const char *line)
{
    size_t size = strlen(meeting.notices);

    cr_expect_null(strchr(line, '\n'));
    cr_expect_eq(data, meeting.notices);
    (void)snprintf(meeting.notices + size, sizeof meeting.notices - size, "%s\n", line);
}

enum status receive_only(struct log_node *node)
{
    struct transport *transport;
    enum status status;

    OK(folder_open(&transport, meeting.shared, node->store, &meeting.err));
    status = transport->ops->receive(transport, &meeting.counts, keep_notice,
                                     meeting.notices, &meeting.err);
    transport->ops->close(transport);
    return status;
}

enum status send_only(struct log_node *node)
{
    struct transport *transport;
    enum status status;

    OK(folder_open(&transport, meeting.shared, node->store, &meeting.err));
    status = transport->ops->send(transport, &meeting.counts, &meeting.err);
    transport->ops->close(transport);
    return status;
}

/* Receive, take what came as applied, send. The first failure. */
enum status visit_try(struct log_node *node)
{
    struct error refused;
    enum status status;

    meeting.counts = (struct visit_counts){0};
    meeting.notices[0] = '\0';
    status = receive_only(node);
    log_take_all(node);
    if (status == STATUS_OK)
        return send_only(node);
    refused = meeting.err;
    if (status == STATUS_REFUSED)
        (void)send_only(node); /* a refused file keeps nobody from sending */
    meeting.err = refused;
    return status;
}

void visit(struct log_node *node)
{
    OK(visit_try(node));
}

void expect_refusal(const char *text)
{
    cr_expect_not_null(strstr(meeting.err.text, text), "\"%s\" is not in \"%s\"", text,
                       meeting.err.text);
}

void expect_notice(const char *text)
{
    cr_expect_not_null(strstr(meeting.notices, text), "\"%s\" is not in \"%s\"", text,
                       meeting.notices);
}

/* ---- files */

const char *in_shared(const char *name)
{
    static char path[2][4 * LOG_PATH_MAX];
    static int turn;

    turn = 1 - turn;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", meeting.shared, name);
    return path[turn];
}

const char *segment_name(const struct log_node *node, uint64_t number)
{
    static char name[2][FOLDER_NAME_SIZE];
    static int turn;

    turn = 1 - turn;
    folder_segment_name(node->identity.node, number, name[turn]);
    return name[turn];
}

const char *state_name(const struct log_node *node)
{
    static char name[FOLDER_NAME_SIZE];

    folder_state_name(node->identity.node, name);
    return name;
}

struct buffer read_shared(const char *name)
{
    struct buffer content = {0};
    int directory = open(meeting.shared, O_RDONLY | O_DIRECTORY);

    cr_assert_geq(directory, 0);
    OK(folder_read_file(directory, meeting.shared, name, SIZE_MAX / 2, &content,
                        &meeting.err));
    (void)close(directory);
    return content;
}

void write_shared(const char *name, struct bytes content)
{
    FILE *file = fopen(in_shared(name), "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(content.data, 1, content.size, file), content.size);
    cr_assert_eq(fclose(file), 0);
}

void cut_shared(const char *name, size_t size)
{
    cr_assert_eq(truncate(in_shared(name), (off_t)size), 0);
}

void flip_shared(const char *name, size_t at)
{
    struct buffer content = read_shared(name);

    content.data[at] ^= 1;
    write_shared(name, buffer_view(&content));
    buffer_release(&content);
}

bool is_shared(const char *name)
{
    return access(in_shared(name), F_OK) == 0;
}

/* How many files; their names, sizes and times of change as one number. */
size_t look_at_shared(uint64_t *print)
{
    DIR *files = opendir(meeting.shared);
    struct dirent *entry;
    size_t count = 0;

    cr_assert_not_null(files);
    *print = 0;
    while ((entry = readdir(files)) != NULL) {
        struct stat found;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        cr_assert_eq(stat(in_shared(entry->d_name), &found), 0);
        *print += (uint64_t)found.st_ino * 31 + (uint64_t)found.st_mtim.tv_nsec +
                  (uint64_t)found.st_mtim.tv_sec * 7 + (uint64_t)found.st_size;
        count++;
    }
    (void)closedir(files);
    return count;
}
