// The only file that speaks OpenMP. Swift's clang ships no omp.h, so the few functions used are declared here. Debian's runtime
// (LLVM 14) lacks what newer clangs emit for dynamic schedules: only parallel regions, barriers and division by hand are used.
#define _GNU_SOURCE
#include "table.h"

#include <sched.h>
#include <stdatomic.h>

enum { SPINS = 4096 };  // some 50 to 100 µs

#ifdef _OPENMP

int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);

int fathom_threads_available(void) { return omp_get_max_threads(); }

void fathom_parallel(int threads, fathom_team_body *body, void *context) {
    fathom_gate gate = {0};
    if (threads <= 1) {
        body(context, 0, (fathom_team){1, &gate});
        return;
    }
#pragma omp parallel num_threads(threads)
    body(context, omp_get_thread_num(), (fathom_team){omp_get_num_threads(), &gate});
}

#else  // built without OpenMP (cross-checks under an emulator): one thread

int fathom_threads_available(void) { return 1; }
void fathom_parallel(int threads, fathom_team_body *body, void *context) {
    (void)threads;
    fathom_gate gate = {0};
    body(context, 0, (fathom_team){1, &gate});
}

#endif

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// The last to arrive opens the next phase. The others spin: a thread's share of a call takes microseconds. Who has waited for longer than any share
// takes waits for a thread that has lost its processor, and yields its own, on which that one may be queued.
void fathom_barrier(fathom_team team) {
    if (team.threads == 1) return;
    fathom_gate *gate = team.gate;
    unsigned phase = atomic_load_explicit(&gate->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&gate->arrived, 1, memory_order_acq_rel) == team.threads - 1) {
        atomic_store_explicit(&gate->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&gate->phase, phase + 1, memory_order_release);
        return;
    }
    for (int turns = 0; atomic_load_explicit(&gate->phase, memory_order_acquire) == phase; turns++) {
        if (turns < SPINS) relax();
        else sched_yield();
    }
}
