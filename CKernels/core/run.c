// Walks a list of calls with a team of threads: each thread runs its share of a call, then waits for the others, unless the next call overlaps.
#include "table.h"

typedef struct list {
    const fathom_call *calls;
    size_t count;
    const fathom_kernel_table *table;
} list;

static void walk(void *context, int thread, fathom_team team) {
    const list *l = context;
    for (size_t i = 0; i < l->count; i++) {
        const fathom_call *call = &l->calls[i];
        fathom_range range = fathom_share(fathom_grid_of(call), thread, team.threads);
        if (range.row_begin < range.row_end && range.panel_begin < range.panel_end)
            l->table->kernels[call->operation](&call->arguments, range);
        if (!call->overlaps && i + 1 < l->count) fathom_barrier(team);
    }
}

void fathom_run(const fathom_call *calls, size_t count, int threads) {
    list l = {calls, count, fathom_kernels()};
    int worth = 1;
    for (size_t i = 0; i < count && worth < threads; i++) {
        int w = fathom_threads_worth(fathom_grid_of(&calls[i]), threads);
        if (w > worth) worth = w;
    }
    fathom_parallel(worth, walk, &l);
}
