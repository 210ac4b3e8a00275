// Walks a list of calls with a team of threads: each thread runs its shares of a group of calls, helps the others, and waits for them.
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

static void run_piece(const list *l, const fathom_call *call, fathom_share share, int piece) {
    l->table->kernels[call->operation](&call->arguments, fathom_piece(share, piece));
}

// Every other thread comes to the calls of a group in reverse: beside one that waits for memory, as in an optimizer's pass, another then computes.
static size_t in_order(size_t i, size_t begin, size_t end, int thread) { return thread % 2 ? begin + end - 1 - i : i; }

// What is left of the others' shares in calls begin ..< end, the last calls first, since they come to those last.
static void help(const list *l, size_t begin, size_t end, int thread, fathom_team team) {
    for (size_t n = end; n-- > begin;)
        for (int other = (thread + 1) % team.threads; other != thread; other = (other + 1) % team.threads) {
            size_t i = in_order(n, begin, end, other);
            _Atomic uint64_t *untaken = &team.offers[other].untaken[i - begin];
            int piece = fathom_take(untaken, false);
            if (piece < 0) continue;
            fathom_share share = fathom_share_of(&l->calls[i], other, team.threads);
            for (; piece >= 0; piece = fathom_take(untaken, false)) run_piece(l, &l->calls[i], share, piece);
        }
}

// A group: calls that do not wait for each other. A thread does its own shares, then helps: processors are seldom equally fast for long, since
// others' programs share their caches, their memory and, where they are virtual, the cores themselves.
static void run_group(const list *l, size_t begin, size_t end, int thread, fathom_team team) {
    fathom_share shares[FATHOM_OFFERED];
    _Atomic uint64_t *untaken = team.offers[thread].untaken;
    size_t offered = begin + FATHOM_OFFERED < end ? begin + FATHOM_OFFERED : end;
    for (size_t i = begin; i < offered; i++) {
        shares[i - begin] = fathom_share_of(&l->calls[i], thread, team.threads);
        if (shares[i - begin].pieces > 1) fathom_offer(&untaken[i - begin], shares[i - begin].pieces);
    }
    for (size_t n = begin; n < end; n++) {
        size_t i = in_order(n, begin, end, thread);
        fathom_share share = i < offered ? shares[i - begin] : fathom_share_of(&l->calls[i], thread, team.threads);
        if (i < offered && share.pieces > 1)
            for (int piece; (piece = fathom_take(&untaken[i - begin], true)) >= 0;) run_piece(l, &l->calls[i], share, piece);
        else
            for (int piece = 0; piece < share.pieces; piece++) run_piece(l, &l->calls[i], share, piece);
        if (l->times && thread == 0 && i + 1 < end) l->times[i + 1] = nanoseconds();
    }
    help(l, begin, offered, thread, team);
}

// A chain, from its first call on, over `threads` threads: each does its rows of all calls, waiting for nobody. Returns its end.
static size_t run_chain(const list *l, size_t begin, int thread, int threads) {
    size_t rows = fathom_grid_of(&l->calls[begin]).rows, end = begin;
    for (; end < l->count && l->calls[end].by_rows; end++) {
        fathom_grid g = fathom_grid_of(&l->calls[end]);
        if (g.rows != rows) break;
        if (l->times && thread == 0 && end > begin) l->times[end] = nanoseconds();
        fathom_range share = fathom_chain_share(g, thread, threads);
        if (share.row_begin < share.row_end && share.panel_end > 0) l->table->kernels[l->calls[end].operation](&l->calls[end].arguments, share);
    }
    return end;
}

// The same without anybody to help.
static void walk_alone(void *context, int thread, fathom_team team) {
    (void)thread, (void)team;
    const list *l = context;
    for (size_t i = 0; i < l->count; i++) {
        fathom_grid g = fathom_grid_of(&l->calls[i]);
        if (g.rows > 0 && g.panels > 0) l->table->kernels[l->calls[i].operation](&l->calls[i].arguments, (fathom_range){0, g.rows, 0, g.panels});
        if (l->times) l->times[i + 1] = nanoseconds();
    }
}

static void walk(void *context, int thread, fathom_team team) {
    const list *l = context;
    for (size_t begin = 0, end; begin < l->count; begin = end) {
        int threads = l->calls[begin].by_rows ? fathom_chain_threads(l->calls + begin, l->count - begin, team.threads) : 0;
        if (threads > 0) end = run_chain(l, begin, thread, threads);
        else {
            for (end = begin + 1; end < l->count && l->calls[end - 1].overlaps;) end++;
            run_group(l, begin, end, thread, team);
        }
        // After the last one too: OpenMP's own barrier, at the end of the team, does not give way to other programs.
        fathom_barrier(team);
        if (l->times && thread == 0) l->times[end] = nanoseconds();
    }
}

void fathom_run_timed(const fathom_call *calls, size_t count, int threads, uint64_t *times) {
    list l = {calls, count, fathom_kernels(), times};
    if (times) times[0] = nanoseconds();
    int worth = fathom_list_worth(calls, count, threads);
    fathom_parallel(worth, worth > 1 ? walk : walk_alone, &l);
    if (times) times[count] = nanoseconds();  // the others end the last call no later than the region
}

void fathom_run(const fathom_call *calls, size_t count, int threads) { fathom_run_timed(calls, count, threads, NULL); }
