/* What a folder shows at one moment: every node's state file, and every segment that is
 * there or is listed. Opens no segment. */
#ifndef SHIP_FOLDER_SURVEY_H
#define SHIP_FOLDER_SURVEY_H

#include "ship/folder_files.h"
#include "ship/folder_state.h"
#include "ship/transport.h"

struct folder {
    struct transport transport; /* first: the vtable */
    struct store *store;
    char *path;
    int directory;
};

/* Where what went wrong with one file goes, so that the others go on. */
struct folder_report {
    struct visit_counts *counts;
    void (*notice)(void *data, const char *line); /* NULL: nobody listens */
    void *data;
    enum status first; /* the first refusal, and its line */
    struct error first_err;
    uint64_t refusals;
};

/* A file that is not whole yet, or waits for others: a line, and no failure. */
void folder_report_unready(struct folder_report *report, const char *line);

/* A file that is refused. The first one fails the visit at its end. */
void folder_report_refusal(struct folder_report *report, enum status status,
                           const struct error *why);

/* The visit's result: OK, or the first refusal. */
MUST_CHECK enum status folder_report_end(struct folder_report *report, struct error *err);

struct folder_segment {
    uint64_t node;
    uint64_t number;
    bool is_present;
    uint64_t size; /* of the file */
    bool is_listed;
    uint64_t listed_size;
    bool is_known; /* ranges are filled: it is listed, or was opened before */
    struct segment_ranges ranges; /* owned */
    bool is_done;                 /* receive: no more to do with it in this visit */
    bool is_late;                 /* receive: seen at the second look only */
    char *waits;                  /* receive: why it could not enter yet; owned */
};

struct folder_survey {
    struct folder_segment *segments; /* owned; by node and number */
    size_t segment_count;
    size_t segment_capacity;
    struct folder_state *states; /* owned; those that could be read */
    size_t state_count;
    size_t state_capacity;
    struct buffer
        own_content; /* of this node's own state file; empty when there is none */
};

/* survey is all zero; release it whatever comes back. Files that are not whole, or
 * refused, go to report and are as if they were not there. */
MUST_CHECK enum status folder_survey_make(struct folder_survey *survey,
                                          const struct folder *folder,
                                          struct folder_report *report,
                                          struct error *err);
void folder_survey_release(struct folder_survey *survey);

/* NULL: there is none. */
struct folder_segment *folder_survey_find(const struct folder_survey *survey,
                                          uint64_t node, uint64_t number);

/* Present, and as long as its list says. */
bool folder_segment_is_whole(const struct folder_segment *segment);

/* What a reader with nothing would hold after reading the folder: vector is initialised
 * by the caller and replaced. */
MUST_CHECK enum status folder_survey_vector(const struct folder_survey *survey,
                                            struct version_vector *vector,
                                            struct error *err);

/* REFUSED when the folder knows entries of this node that its store does not have: it
 * came back from a backup, or a copy of it is in use. */
MUST_CHECK enum status folder_survey_check_fork(const struct folder_survey *survey,
                                                const struct folder *folder,
                                                struct error *err);

/* This store's vector. */
MUST_CHECK enum status folder_store_vector(const struct folder *folder,
                                           struct version_vector *vector,
                                           struct error *err);

/* The number of this node's next segment, as the store has it. */
MUST_CHECK enum status folder_next_number(const struct folder *folder, uint64_t *number,
                                          struct error *err);

/* An own listed segment that the store does not remember: the store came back from a
 * backup, and if it has used the numbers of that segment's entries again, reading it
 * tells. */
bool folder_segment_is_forgotten(const struct folder *folder,
                                 const struct folder_segment *segment,
                                 uint64_t next_number);

/* No segment of this node's will have this number again. */
MUST_CHECK enum status folder_use_number(const struct folder *folder, uint64_t number,
                                         struct error *err);

/* The two halves of a visit (ship/transport.h), in files of their own. */
enum status folder_receive(struct transport *transport, struct visit_counts *counts,
                           void (*notice)(void *data, const char *line), void *data,
                           struct error *err);
enum status folder_send(struct transport *transport, struct visit_counts *counts,
                        struct error *err);

#endif
