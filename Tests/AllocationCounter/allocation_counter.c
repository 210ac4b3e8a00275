// Takes malloc's place in the test program and counts calls and bytes. glibc keeps its own functions under other names.
#include "allocation_counter.h"

#include <errno.h>
#include <features.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

#ifdef __GLIBC__

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static _Thread_local uint64_t mine;
static _Atomic uint64_t everyones;

// Bytes that this thread has asked for less those it has freed, and the most since reset.
static _Thread_local int64_t live, peak;

static void *counted(void *p) {
    mine++;
    atomic_fetch_add_explicit(&everyones, 1, memory_order_relaxed);
    live += (int64_t)malloc_usable_size(p);
    if (live > peak) peak = live;
    return p;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }

void *calloc(size_t n, size_t size) { return counted(__libc_calloc(n, size)); }

void *realloc(void *p, size_t size) {
    int64_t before = (int64_t)malloc_usable_size(p);
    void *q = __libc_realloc(p, size);
    if (q || !size) live -= before;
    return counted(q);
}

void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

void free(void *p) {
    live -= (int64_t)malloc_usable_size(p);
    __libc_free(p);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **p, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);
    if (!memory) return ENOMEM;
    *p = memory;
    return 0;
}

uint64_t allocations_of_this_thread(void) { return mine; }
uint64_t allocations_of_all_threads(void) { return atomic_load(&everyones); }
void begin_counting_bytes(void) { live = peak = 0; }
int64_t most_bytes_of_this_thread(void) { return peak; }
bool allocations_are_counted(void) { return true; }

#else

uint64_t allocations_of_this_thread(void) { return 0; }
uint64_t allocations_of_all_threads(void) { return 0; }
void begin_counting_bytes(void) {}
int64_t most_bytes_of_this_thread(void) { return 0; }
bool allocations_are_counted(void) { return false; }

#endif
