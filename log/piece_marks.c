#include "log/piece_marks.h"

#include <assert.h>
#include <stdlib.h>

enum { MARKS_MAX = 64, STRIDE_MIN = 64, PIECES_MAX = 512 };

struct mark {
    uint32_t items; /* offsets from the first change's */
    uint32_t places;
};

struct piece {
    uint64_t name; /* 0: none */
    uint32_t stride;
    uint32_t count;
    struct mark marks[MARKS_MAX]; /* of change 0, stride, 2 * stride, … */
};

struct piece_marks {
    struct piece *pieces[PIECES_MAX]; /* by the name's low bits; owned */
};

void piece_marks_release(struct piece_marks *marks)
{
    if (marks == NULL)
        return;
    for (size_t i = 0; i < PIECES_MAX; i++)
        free(marks->pieces[i]);
    free(marks);
}

enum status piece_skip(struct bytes *items, struct notes_view *notes, struct error *err)
{
    struct bytes item;

    if (!bytes_take_sized(items, &item))
        return error_set(err, STATUS_CORRUPT, "its changes are cut short");
    return notes_skip(notes, err);
}

static enum status mark_piece(struct piece *piece, uint64_t name, struct bytes items,
                              struct notes_view notes, struct error *err)
{
    struct bytes first = items, first_places = notes.places;
    enum status status = STATUS_OK;
    uint32_t stride = notes.count / MARKS_MAX + 1;

    *piece = (struct piece){.stride = stride < STRIDE_MIN ? STRIDE_MIN : stride};
    for (uint32_t i = 0; i < notes.count && status == STATUS_OK; i++) {
        size_t passed = first.size - items.size;

        if (passed > UINT32_MAX) /* the last mark will do for the rest */
            break;
        if (i % piece->stride == 0) {
            piece->marks[piece->count++] = (struct mark){
                (uint32_t)passed, (uint32_t)(first_places.size - notes.places.size)};
        }
        status = piece_skip(&items, &notes, err);
    }
    if (status == STATUS_OK)
        piece->name = name;
    return status;
}

static void advance(struct bytes *bytes, uint32_t size)
{
    bytes->data += size;
    bytes->size -= size;
}

enum status piece_marks_seek(struct store_txn *txn, uint64_t name, uint32_t nth,
                             struct bytes *items, struct notes_view *notes, uint32_t *at,
                             struct error *err)
{
    struct piece **slot;
    enum status status = STATUS_OK;
    uint32_t mark;

    *at = 0;
    if (nth < STRIDE_MIN)
        return STATUS_OK;
    if (txn->marks == NULL)
        txn->marks = calloc(1, sizeof *txn->marks);
    if (txn->marks == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a change: out of memory");
    slot = &txn->marks->pieces[name / 2 % PIECES_MAX];
    if (*slot == NULL)
        *slot = calloc(1, sizeof **slot);
    if (*slot == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a change: out of memory");
    if ((*slot)->name != name)
        status = mark_piece(*slot, name, *items, *notes, err);
    if (status != STATUS_OK)
        return status;
    assert((*slot)->stride > 0);
    mark = nth / (*slot)->stride;
    if (mark >= (*slot)->count)
        mark = (*slot)->count - 1;
    advance(items, (*slot)->marks[mark].items);
    advance(&notes->places, (*slot)->marks[mark].places);
    *at = mark * (*slot)->stride;
    notes->next = *at;
    return STATUS_OK;
}
