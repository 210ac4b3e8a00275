#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

// How often the calling thread has asked for memory (malloc, calloc, realloc, aligned variants) since it began.
uint64_t allocations_of_this_thread(void);
// How often any thread of the process has.
uint64_t allocations_of_all_threads(void);
// Whether allocations are counted on this system (glibc).
bool allocations_are_counted(void);

#endif
