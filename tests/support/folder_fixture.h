/* Three nodes of a log_fixture that meet in a shared folder, and what a test does to the
 * folder between their visits. Each test is its own process, so there is one of
 * everything. */
#ifndef TESTS_SUPPORT_FOLDER_FIXTURE_H
#define TESTS_SUPPORT_FOLDER_FIXTURE_H

#include "ship/folder.h"
#include "ship/folder_survey.h"
#include "tests/support/segment_file.h"

struct folder_fixture {
    struct log_fixture stores;
    char shared[2 * LOG_PATH_MAX]; /* where the next visit goes */
    struct visit_counts counts;    /* of the last visit */
    char notices[8192];            /* and its lines, each ended by a newline */
    struct error err;              /* of the last visit that failed */
};

extern struct folder_fixture meeting;

void folder_fixture_open(void);
void folder_fixture_close(void);

/* From now on they meet in another folder of that name, made if need be. */
void meet_in(const char *name);

/* Receive, take what came as applied, send. visit expects it to go well; visit_try gives
 * the first failure; a refused file keeps nobody from sending. */
enum status visit_try(struct log_node *node);
void visit(struct log_node *node);

/* The halves. */
enum status receive_only(struct log_node *node);
enum status send_only(struct log_node *node);

void expect_notice(const char *text);
void expect_refusal(const char *text);

/* ---- the folder's files. Names and paths live until the second next call. */

const char *in_shared(const char *name);
const char *segment_name(const struct log_node *node, uint64_t number);
const char *state_name(const struct log_node *node);
struct buffer read_shared(const char *name); /* to be released */
void write_shared(const char *name, struct bytes content);
void cut_shared(const char *name, size_t size);
void flip_shared(const char *name, size_t at);
bool is_shared(const char *name);

/* How many files; what they are, with their sizes and times of change, as one number. */
size_t look_at_shared(uint64_t *print);

#endif
