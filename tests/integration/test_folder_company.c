/* A folder in bad company: each node has a copy of its own, and what carries files
 * between the copies brings them late, half, twice, under other names and in the wrong
 * order. At the end everything is copied whole, and all nodes hold the same.
 *
 * ROWFERRY_SEED: of the one run; else a new one each time. ROWFERRY_LONG: many. */
#include "tests/support/folder_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 3, STEPS = 120, RUNS = 4, RUNS_LONG = 300, ROWS = 6, SETTLE_MAX = 12 };

/* The folders: one for each node, and what each was at some moment before. */
static const char *const homes[NODES] = {"home0", "home1", "home2"};
static const char *const olds[NODES] = {"old0", "old1", "old2"};

static uint64_t dice_state;
static uint64_t odd_number; /* of the next segment that gets a name not its own */

static unsigned dice(unsigned sides)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(dice_state >> 33) % sides;
}

TestSuite(folder_company, .fini = folder_fixture_close, .timeout = 600);

/* ---- files */

static const char *path_of(const char *folder, const char *name)
{
    static char path[2][6 * LOG_PATH_MAX];
    static int turn;

    turn = 1 - turn;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s/%s", meeting.stores.folder,
                   folder, name);
    return path[turn];
}

static long size_of(const char *folder, const char *name)
{
    struct stat found;

    return stat(path_of(folder, name), &found) == 0 ? (long)found.st_size : -1;
}

/* Write the first size bytes of a file over another, in place, as a plain copy does. size
 * -1: all. */
static void copy_file(const char *from, const char *name, const char *to, const char *as,
                      long size)
{
    FILE *in = fopen(path_of(from, name), "rb"), *out = fopen(path_of(to, as), "wb");
    char *content;
    size_t got;

    cr_assert(in != NULL && out != NULL);
    if (size < 0)
        size = size_of(from, name);
    content = malloc((size_t)size + 1);
    cr_assert_not_null(content);
    got = fread(content, 1, (size_t)size, in);
    cr_assert_eq(fwrite(content, 1, got, out), got);
    free(content);
    cr_assert(fclose(in) == 0 && fclose(out) == 0);
}

typedef void (*name_cb)(const char *folder, const char *name, const void *data);

/* Names as readdir gives them: one visit may add files. */
static void each_file(const char *folder, name_cb visit_name, const void *data)
{
    char names[4096][FOLDER_NAME_SIZE + 16];
    size_t count = 0;
    DIR *listing = opendir(path_of(folder, "."));
    struct dirent *entry;

    cr_assert_not_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        cr_assert(count < 4096 && strlen(entry->d_name) < sizeof names[0]);
        (void)strcpy(names[count++], entry->d_name);
    }
    (void)closedir(listing);
    for (size_t i = 0; i < count; i++)
        visit_name(folder, names[i], data);
}

static void remove_file(const char *folder, const char *name, const void *data)
{
    (void)data;
    cr_assert_eq(unlink(path_of(folder, name)), 0);
}

/* ---- what carries files */

static bool is_state(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && strcmp(dot, ".rfstate") == 0;
}

/* Whose the file is, by its name; -1: nobody's. */
static int owner_of(const char *name)
{
    struct folder_name read;

    if (!folder_name_read(name, &read) || read.node == 0 || read.node > NODES)
        return -1;
    return (int)read.node - 1;
}

/* What a careful carrier does: what is missing or shorter there, and the newest states,
 * which are those in their writers' own folders. */
static void carry_whole(const char *folder, const char *name, const void *data)
{
    const char *to = data;
    int owner = owner_of(name);

    if (is_state(name) ? owner >= 0 && folder == homes[owner]
                       : size_of(to, name) < size_of(folder, name))
        copy_file(folder, name, to, name, -1);
}

static void carry_all(const char *folder, const char *name, const void *data)
{
    copy_file(folder, name, data, name, -1);
}

/* What a careless one does with one file. */
static void carry_badly(const char *folder, const char *name, const void *data)
{
    static const char *const before[] = {"", "Copy of ", "", "x"};
    static const char *const after[] = {" (1)", "", "~", ""};
    unsigned k = dice(4);
    const char *to = data;
    char as[FOLDER_NAME_SIZE + 16];
    int owner = owner_of(name);
    long size = size_of(folder, name);

    switch (dice(8)) {
    case 0:
    case 1:
        copy_file(folder, name, to, name, -1);
        break;
    case 2: /* half of it, for now; never over what is whole already */
        if (size_of(to, name) < 0)
            copy_file(folder, name, to, name, (long)dice((unsigned)size + 1));
        break;
    case 3: /* a name that is nobody's */
        (void)snprintf(as, sizeof as, "%s%s%s", before[k], name, after[k]);
        if (owner >= 0)
            copy_file(folder, name, to, as, -1);
        break;
    case 4: /* a segment's name, with a number or a node that is not its own */
        if (owner >= 0 && !is_state(name)) {
            folder_segment_name(dice(NODES) + 1, odd_number++, as);
            copy_file(folder, name, to, as, -1);
        }
        break;
    default: /* not at all: others come first, or without it */
        break;
    }
}

/* A stick comes back as it was. */
static void bring_back(size_t i)
{
    each_file(homes[i], remove_file, NULL);
    each_file(olds[i], carry_all, homes[i]);
}

static void keep(size_t i)
{
    each_file(olds[i], remove_file, NULL);
    each_file(homes[i], carry_all, olds[i]);
}

/* ---- nodes */

static void write_something(struct log_node *node)
{
    int64_t id = 1 + dice(ROWS);
    bool deletes = dice(5) == 0 && strncmp(log_holding(node, id), "a=", 2) == 0;
    char text[24];

    (void)snprintf(text, sizeof text, "%u", dice(1000000));
    node->now_us += 1 + dice(1000);
    (void)log_write(node, id, deletes ? NULL : text, "b");
}

/* Whole, or with a carrier coming between its halves, or only the first of them: it was
 * killed. */
static void visit_home(size_t i)
{
    struct log_node *node = &meeting.stores.nodes[i];
    size_t other = (i + 1 + dice(NODES - 1)) % NODES;
    enum status status;

    meet_in(homes[i]);
    status = receive_only(node);
    if (dice(4) > 0)
        log_take_all(node);
    if (dice(3) == 0)
        each_file(homes[other], carry_badly, homes[i]);
    if (status == STATUS_OK && dice(4) > 0)
        status = send_only(node);
    cr_expect_eq(status, STATUS_OK, "what is half or late is no failure: %s",
                 meeting.err.text);
    meeting.counts = (struct visit_counts){0};
    meeting.notices[0] = '\0';
}

static void step(void)
{
    size_t i = dice(NODES), other = (i + 1 + dice(NODES - 1)) % NODES;

    switch (dice(8)) {
    case 0:
    case 1:
        write_something(&meeting.stores.nodes[i]);
        break;
    case 2:
    case 3:
        visit_home(i);
        break;
    case 4:
        each_file(homes[i], carry_whole, homes[other]);
        break;
    case 5:
    case 6:
        each_file(homes[i], carry_badly, homes[other]);
        break;
    default:
        if (dice(2) == 0)
            keep(i);
        else
            bring_back(i);
        break;
    }
}

/* Copy whole, visit, until a round moves nothing. */
static void settle_all(void)
{
    uint64_t moved = 1;

    for (int round = 0; moved > 0; round++) {
        cr_assert(round < SETTLE_MAX, "they go on exchanging");
        moved = 0;
        for (size_t i = 0; i < NODES; i++) {
            meet_in(homes[i]);
            visit(&meeting.stores.nodes[i]);
            moved += meeting.counts.sent.entries + meeting.counts.received.entries;
            for (size_t j = 0; j < NODES; j++)
                if (j != i)
                    each_file(homes[i], carry_whole, homes[j]);
        }
    }
}

static void expect_same(void)
{
    struct log_node *first = &meeting.stores.nodes[0];

    for (size_t i = 1; i < NODES; i++) {
        struct log_node *node = &meeting.stores.nodes[i];

        cr_expect_eq(log_last(node), log_last(first), "entries of node %zu", i);
        cr_expect_eq(log_conflicts(node), log_conflicts(first), "conflicts of node %zu",
                     i);
        for (int64_t id = 1; id <= ROWS; id++) {
            char wanted[256];

            (void)snprintf(wanted, sizeof wanted, "%s", log_winner(first, id));
            cr_expect_str_eq(log_winner(node, id), wanted, "row %d of node %zu", (int)id,
                             i);
        }
    }
}

static void run(uint64_t seed)
{
    (void)printf("seed %llu\n", (unsigned long long)seed);
    (void)fflush(stdout);
    dice_state = seed;
    odd_number = 1000;
    folder_fixture_open();
    for (size_t i = 0; i < NODES; i++) {
        meet_in(olds[i]);
        meet_in(homes[i]);
    }
    for (int i = 0; i < STEPS; i++)
        step();
    settle_all();
    expect_same();
}

Test(folder_company, all_converge_when_everything_is_copied_whole_at_last)
{
    const char *given = getenv("ROWFERRY_SEED"), *is_long = getenv("ROWFERRY_LONG");
    uint64_t seed =
        given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000;
    uint64_t runs = is_long != NULL && strcmp(is_long, "1") == 0 ? RUNS_LONG : RUNS;

    for (uint64_t i = 0; i < (given != NULL ? 1 : runs); i++) {
        if (i > 0)
            folder_fixture_close();
        run(seed + i);
    }
}

/* FAT keeps no two names that differ only by case, and few characters; none of its device
 * names begins with a digit or a dot. */
Test(folder_company, has_only_names_that_any_file_system_takes)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz-.";
    char names[3][FOLDER_NAME_SIZE];

    folder_fixture_open();
    folder_segment_name(UINT64_MAX, UINT64_MAX, names[0]);
    folder_state_name(UINT64_MAX, names[1]);
    (void)snprintf(names[2], sizeof names[2], ".%.40s.tmp", names[0]);
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(strspn(names[i], allowed), strlen(names[i]), "%s", names[i]);
}
