// What the files of CKernels share among themselves: the tables of each instruction set and the one door to threads.
#ifndef FATHOM_TABLE_H
#define FATHOM_TABLE_H

#include "../include/fathom_kernels.h"

#if defined(__x86_64__)
#define FATHOM_X86 1
#elif defined(__aarch64__)
#define FATHOM_ARM 1
#endif

// Sparse lists of what each set tunes; NULL slots fall to the reference.
extern fathom_kernel *const fathom_reference_kernels[FATHOM_OPERATIONS];
extern fathom_kernel *const fathom_baseline_kernels[FATHOM_OPERATIONS];
extern fathom_kernel *const fathom_avx2_kernels[FATHOM_OPERATIONS];
extern fathom_kernel *const fathom_avx512_kernels[FATHOM_OPERATIONS];
extern fathom_kernel *const fathom_neon_kernels[FATHOM_OPERATIONS];

// Where a team's threads wait for each other: how many have arrived, and a number that changes when all have, on cache lines of their own; how many of
// the others sleep until it does.
typedef struct fathom_gate {
    _Alignas(64) _Atomic int arrived;
    _Alignas(64) _Atomic unsigned phase;
    _Atomic int sleepers;
} fathom_gate;

// The pieces of a thread's shares that nobody has taken, of one call of its group after another: it takes the first of a call itself, the others the last
// (see share.c). What it offers lies in one cache line, which moves once to whom looks into it. Calls behind the first so many of a group are not offered.
enum { FATHOM_OFFERED = 8 };
typedef struct fathom_offers {
    _Alignas(64) _Atomic uint64_t untaken[FATHOM_OFFERED];
} fathom_offers;

typedef struct fathom_team {
    int threads;
    fathom_gate *gate;
    fathom_offers *offers;  // [threads], empty at first
} fathom_team;

// Runs body(context, thread, team) once on each thread of a team of at most `threads`.
typedef void fathom_team_body(void *context, int thread, fathom_team team);
void fathom_parallel(int threads, fathom_team_body *body, void *context);
// Waits until all threads of the team are here.
void fathom_barrier(fathom_team team);

// The share of one thread of a team in a call: `pieces` runs of its panels or rows; none where the work is too small for so many threads.
typedef struct fathom_share {
    fathom_range range;
    size_t row_step;
    int pieces;
} fathom_share;
fathom_share fathom_share_of(const fathom_call *call, int thread, int team);
fathom_range fathom_piece(fathom_share share, int piece);

// Over how many threads of a team the rows of the chain that begins with the first of the calls are divided; 0: it is none, or has too few rows for that.
int fathom_chain_threads(const fathom_call *calls, size_t count, int team);
// The share of each of these threads in a call of the chain: the same rows of all of its panels.
fathom_range fathom_chain_share(fathom_grid grid, int thread, int threads);

// Offers pieces 0 ..< pieces of a call, where none is left; takes the first (own) or the last, −1 where there is none.
void fathom_offer(_Atomic uint64_t *untaken, int pieces);
int fathom_take(_Atomic uint64_t *untaken, bool own);
// How many threads of a team of `threads` a grid's work can pay for.
int fathom_threads_worth(fathom_grid grid, int threads);

// A panel's sum of squares from those of its blocks.
static inline double fathom_sum_of_blocks(const fathom_squared_norm_arguments *s, size_t panel) {
    size_t blocks = (s->rows + FATHOM_PANEL - 1) / FATHOM_PANEL;
    double sum = 0;
    for (size_t b = 0; b < blocks; b++) sum += s->squares[blocks * panel + b];
    return sum;
}

static inline size_t fathom_panels(size_t columns) { return (columns + FATHOM_PANEL - 1) / FATHOM_PANEL; }

#endif
