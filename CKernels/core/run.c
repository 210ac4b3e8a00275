// Walks a list of calls with a team of threads: each thread runs its share of a call, then waits for the others where the call does not overlap the next.
#define _DEFAULT_SOURCE  // clocks under -std=c11
#include "table.h"

#include <time.h>

typedef struct list {
    const fathom_call *calls;
    size_t count;
    const fathom_kernel_table *table;
    uint64_t *times;  // NULL: not wanted
} list;

static uint64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void walk(void *context, int thread, fathom_team team) {
    const list *l = context;
    for (size_t i = 0; i < l->count; i++) {
        const fathom_call *call = &l->calls[i];
        fathom_range range = fathom_share(fathom_grid_of(call), thread, team.threads);
        if (range.row_begin < range.row_end && range.panel_begin < range.panel_end)
            l->table->kernels[call->operation](&call->arguments, range);
        // After the last one too: OpenMP's own barrier, at the end of the team, does not give way to other programs.
        if (!call->overlaps || i + 1 == l->count) fathom_barrier(team);
        if (l->times && thread == 0) l->times[i + 1] = nanoseconds();
    }
}

void fathom_run_timed(const fathom_call *calls, size_t count, int threads, uint64_t *times) {
    list l = {calls, count, fathom_kernels(), times};
    if (times) times[0] = nanoseconds();
    int worth = 1;
    for (size_t i = 0; i < count && worth < threads; i++) {
        int w = fathom_threads_worth(fathom_grid_of(&calls[i]), threads);
        if (w > worth) worth = w;
    }
    fathom_parallel(worth, walk, &l);
    if (times) times[count] = nanoseconds();  // the others end the last call no later than the region
}

void fathom_run(const fathom_call *calls, size_t count, int threads) { fathom_run_timed(calls, count, threads, NULL); }
