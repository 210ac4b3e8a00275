// Takes malloc's place in the test program and counts. glibc keeps its own functions under other names.
#include "allocation_counter.h"

#include <errno.h>
#include <features.h>
#include <stdatomic.h>
#include <stddef.h>

#ifdef __GLIBC__

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static _Thread_local uint64_t mine;
static _Atomic uint64_t everyones;

static void count(void) {
    mine++;
    atomic_fetch_add_explicit(&everyones, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
    count();
    return __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
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
bool allocations_are_counted(void) { return true; }

#else

uint64_t allocations_of_this_thread(void) { return 0; }
uint64_t allocations_of_all_threads(void) { return 0; }
bool allocations_are_counted(void) { return false; }

#endif
