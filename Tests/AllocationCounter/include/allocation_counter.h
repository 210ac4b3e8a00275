#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

// How often the calling thread has asked for memory (malloc, calloc, realloc, aligned variants) since it began.
uint64_t allocations_of_this_thread(void);
// How often any thread of the process has.
uint64_t allocations_of_all_threads(void);
// From here on the bytes that the calling thread holds more than now are counted,
void begin_counting_bytes(void);
// and these are the most of them at once.
int64_t most_bytes_of_this_thread(void);
// Whether allocations are counted on this system (glibc).
bool allocations_are_counted(void);

#endif
