/* Memory that runs out when a test says so. A test that uses it has a .link file beside
 * it with -Wl,--wrap=calloc and -Wl,--wrap=realloc; it counts the calls of our own code
 * only. */
#ifndef TESTS_SUPPORT_FAILING_MEMORY_H
#define TESTS_SUPPORT_FAILING_MEMORY_H

/* The next `calls` calls of calloc and realloc succeed, all later ones fail. */
void failing_memory_start(unsigned calls);

/* Every call succeeds again. Returns how many were made since the start. */
unsigned failing_memory_stop(void);

#endif
