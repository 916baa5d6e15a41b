/* Tables that refer to each other in a circle, by Tarjan's algorithm (1972): a component
 * is complete when all that it refers to are, so parents come first. */
#include "engine/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct table_node {
    uint32_t index;     /* order of the first visit, from 1; 0: not visited */
    uint32_t low;       /* smallest index on the stack that it reaches */
    uint32_t next_edge; /* foreign key to follow next */
    bool on_stack;
};

struct walk {
    const struct definition *const *definitions;
    uint32_t count;
    struct table_node *nodes;
    uint32_t *stack; /* visited, component not complete */
    uint32_t stack_size;
    uint32_t *path; /* from where the walk began to where it is */
    uint32_t path_size;
    uint32_t visited;
    uint32_t groups;
    uint32_t *group;
};

/* Whose name it is; count when no definition has it (a table that is not replicated). */
static uint32_t find_table(const struct walk *walk, const char *name)
{
    uint32_t i = 0;

    while (i < walk->count && strcmp(walk->definitions[i]->name, name) != 0)
        i++;
    return i;
}

static void enter(struct walk *walk, uint32_t table)
{
    struct table_node *node = &walk->nodes[table];

    node->index = ++walk->visited;
    node->low = node->index;
    node->on_stack = true;
    walk->stack[walk->stack_size++] = table;
    walk->path[walk->path_size++] = table;
}

/* All that the table refers to is done: end its component when it began there. */
static void leave(struct walk *walk)
{
    uint32_t table = walk->path[--walk->path_size];
    struct table_node *node = &walk->nodes[table];

    if (walk->path_size > 0) {
        struct table_node *below = &walk->nodes[walk->path[walk->path_size - 1]];

        if (node->low < below->low)
            below->low = node->low;
    }
    if (node->low != node->index)
        return;
    for (uint32_t member = walk->count; member != table;) {
        member = walk->stack[--walk->stack_size];
        walk->nodes[member].on_stack = false;
        walk->group[member] = walk->groups;
    }
    walk->groups++;
}

static void visit_from(struct walk *walk, uint32_t table)
{
    enter(walk, table);
    while (walk->path_size > 0) {
        uint32_t here = walk->path[walk->path_size - 1];
        struct table_node *node = &walk->nodes[here];
        const struct definition *definition = walk->definitions[here];
        uint32_t parent;

        if (node->next_edge == definition->foreign_key_count) {
            leave(walk);
            continue;
        }
        parent = find_table(walk, definition->foreign_keys[node->next_edge++].parent);
        if (parent == walk->count)
            continue;
        if (walk->nodes[parent].index == 0)
            enter(walk, parent);
        else if (walk->nodes[parent].on_stack && walk->nodes[parent].index < node->low)
            node->low = walk->nodes[parent].index;
    }
}

enum status foreign_key_groups(const struct definition *const *definitions, size_t count,
                               uint32_t *group, struct error *err)
{
    struct walk walk = {.definitions = definitions, .count = (uint32_t)count};
    enum status status = STATUS_OK;

    assert(count < UINT32_MAX);
    walk.group = group;
    walk.nodes = calloc(count + 1, sizeof *walk.nodes);
    walk.stack = calloc(count + 1, sizeof *walk.stack);
    walk.path = calloc(count + 1, sizeof *walk.path);
    if (walk.nodes == NULL || walk.stack == NULL || walk.path == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "groups of tables: out of memory");
    } else {
        for (uint32_t i = 0; i < walk.count; i++)
            if (walk.nodes[i].index == 0)
                visit_from(&walk, i);
        assert(walk.stack_size == 0);
    }
    free(walk.nodes);
    free(walk.stack);
    free(walk.path);
    return status;
}
