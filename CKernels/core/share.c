// How a call's grid is divided over the threads of a team, and a thread's share into pieces, which threads that have done theirs take over.
#include "table.h"

#include <stdatomic.h>

// A second thread pays from about this much work: a barrier costs about 1 µs, in which a core does some 50 kflop or 20 kB.
static const double flops_per_thread = 100e3, bytes_per_thread = 50e3;

static double work(fathom_grid g) {
    double flops = g.flops / flops_per_thread, traffic = g.bytes / bytes_per_thread;
    return traffic > flops ? traffic : flops;
}

static int worth(double work, int threads) { return work < 2 ? 1 : work < threads ? (int)work : threads; }

int fathom_threads_worth(fathom_grid g, int threads) { return worth(work(g), threads); }

// Starting a team and ending it costs about 1.6 µs: so many times what pays for a second thread.
static const double work_of_team = 4;

// Rows of a chain are divided at whole blocks of 16, whose statistics are one record.
enum { CHAIN_STEP = FATHOM_PANEL };

// As many as its first calls pay for, until they pay for the team, and as there are blocks; not where a call alone pays for more, whose columns are divided then. Where a thread has
// a third more rows than their mean a chain still takes less time than barriers and the others' rows in the caches: 48 rows are 32 and 16.
int fathom_chain_threads(const fathom_call *calls, size_t count, int team) {
    size_t rows = fathom_grid_of(calls).rows, steps = (rows + CHAIN_STEP - 1) / CHAIN_STEP;
    if (steps < 2) return 0;
    int alone = 1, most = steps < (size_t)team ? (int)steps : team;
    double chain = 0;
    for (size_t i = 0; i < count && calls[i].by_rows && chain < team; i++) {
        fathom_grid g = fathom_grid_of(&calls[i]);
        if (g.rows != rows) break;
        int w = fathom_threads_worth(g, team);
        if (w > alone) alone = w;
        chain += work(g);
    }
    int threads = worth(chain, most);
    size_t largest = (steps + (size_t)threads - 1) / (size_t)threads * CHAIN_STEP;
    return threads > 1 && threads >= alone && 4 * rows >= 3 * largest * (size_t)threads ? threads : 0;
}

int fathom_list_worth(const fathom_call *calls, size_t count, int threads) {
    int most = 1;
    double all = 0;
    size_t rows = 0;  // of the chain that the last call was in
    for (size_t i = 0; threads > 1 && i < count && (most < threads || all < work_of_team); i++) {
        fathom_grid g = fathom_grid_of(&calls[i]);
        int alone = fathom_threads_worth(g, threads), together = calls[i].by_rows && g.rows != rows ? fathom_chain_threads(calls + i, count - i, threads) : 0;
        if (alone > most) most = alone;
        if (together > most) most = together;
        rows = calls[i].by_rows ? g.rows : 0;
        all += work(g);
    }
    return all < work_of_team ? 1 : most;
}

static void divide(size_t count, size_t step, int part, int parts, size_t *begin, size_t *end) {
    size_t steps = (count + step - 1) / step;
    *begin = steps * part / parts * step;
    *end = steps * (part + 1) / parts * step;
    if (*begin > count) *begin = count;
    if (*end > count) *end = count;
}

fathom_range fathom_chain_share(fathom_grid g, int thread, int threads) {
    fathom_range r = {.panel_end = g.panels};
    if (thread < threads) divide(g.rows, CHAIN_STEP, thread, threads, &r.row_begin, &r.row_end);
    return r;
}

// The team is laid out as down × across; of the layouts the one whose largest share is smallest, within a thirty-second the one of more panels
// (a panel's rows of the vector operand are then read by one thread only).
static fathom_range rectangle(fathom_grid g, int thread, int threads) {
    size_t row_steps = (g.rows + g.row_step - 1) / g.row_step;
    int best_down = 1, best_across = 1;
    size_t best = SIZE_MAX;
    for (int down = 1; down <= threads; down++) {
        int across = threads / down;
        size_t share = ((row_steps + down - 1) / down) * ((g.panels + across - 1) / across);
        if (share < best - best / 32) {
            best = share;
            best_down = down;
            best_across = across;
        }
    }
    if (thread >= best_down * best_across) return (fathom_range){0};
    fathom_range r;
    divide(g.rows, g.row_step, thread / best_across, best_down, &r.row_begin, &r.row_end);
    divide(g.panels, 1, thread % best_across, best_across, &r.panel_begin, &r.panel_end);
    return r;
}

// A piece is some 10 µs of work or more: taking it costs some 20 ns, from another thread ten times as much. In more than this many pieces a product reads
// its first operand, which every piece reads whole, too often.
static const double flops_per_piece = 1e6, bytes_per_piece = 64e3;
enum { MOST_PIECES = 12 };

// Pieces are runs of panels, which leave a product's blocks as they are, and of pairs of them, since a tile of 16 lanes has two; runs of rows where there are few panels.
enum { PIECE_PANELS = 2 };
static bool along_panels(fathom_range r) { return r.panel_end - r.panel_begin >= 4; }

fathom_share fathom_share_of(const fathom_call *call, int thread, int team) {
    fathom_grid g = fathom_grid_of(call);
    int threads = fathom_threads_worth(g, team);
    if (threads == 1) return (fathom_share){{0, g.rows, 0, g.panels}, g.row_step, thread == 0 && g.rows > 0 && g.panels > 0};
    fathom_range r = rectangle(g, thread, threads);
    size_t rows = r.row_end - r.row_begin, panels = r.panel_end - r.panel_begin;
    if (rows == 0 || panels == 0) return (fathom_share){0};
    double part = (double)rows * panels / ((double)g.rows * g.panels), pieces = g.flops / flops_per_piece, traffic = g.bytes / bytes_per_piece;
    pieces = part * (traffic > pieces ? traffic : pieces);
    size_t steps = along_panels(r) ? panels / PIECE_PANELS : (rows + g.row_step - 1) / g.row_step, most = steps < MOST_PIECES ? steps : MOST_PIECES;
    return (fathom_share){r, g.row_step, pieces < 2 ? 1 : pieces < most ? (int)pieces : (int)most};
}

fathom_range fathom_piece(fathom_share share, int piece) {
    fathom_range r = share.range, p = r;
    if (along_panels(r)) {
        divide(r.panel_end - r.panel_begin, PIECE_PANELS, piece, share.pieces, &p.panel_begin, &p.panel_end);
        p.panel_begin += r.panel_begin;
        p.panel_end += r.panel_begin;
    } else {
        divide(r.row_end - r.row_begin, share.row_step, piece, share.pieces, &p.row_begin, &p.row_end);
        p.row_begin += r.row_begin;
        p.row_end += r.row_begin;
    }
    return p;
}

// In one word, so that both ends move at once: how many pieces have been taken from the front, and in the upper half where the untaken ones end.
void fathom_offer(_Atomic uint64_t *untaken, int pieces) { atomic_store_explicit(untaken, (uint64_t)pieces << 32, memory_order_relaxed); }

int fathom_take(_Atomic uint64_t *untaken, bool own) {
    uint64_t seen = atomic_load_explicit(untaken, memory_order_relaxed), left;
    do {
        uint32_t front = (uint32_t)seen, end = (uint32_t)(seen >> 32);
        if (front >= end) return -1;
        left = own ? seen + 1 : seen - ((uint64_t)1 << 32);
    } while (!atomic_compare_exchange_weak_explicit(untaken, &seen, left, memory_order_relaxed, memory_order_relaxed));
    return own ? (int)(uint32_t)seen : (int)(seen >> 32) - 1;
}
