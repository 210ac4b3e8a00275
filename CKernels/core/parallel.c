// The only file that speaks OpenMP. Swift's clang ships no omp.h, so the few functions used are declared here. Debian's runtime
// (LLVM 14) lacks what newer clangs emit for dynamic schedules: only parallel regions, barriers and division by hand are used.
#include "table.h"

#ifdef _OPENMP

int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);

int fathom_threads_available(void) { return omp_get_max_threads(); }

void fathom_parallel(int threads, fathom_team_body *body, void *context) {
    if (threads <= 1) {
        body(context, 0, 1);
        return;
    }
#pragma omp parallel num_threads(threads)
    body(context, omp_get_thread_num(), omp_get_num_threads());
}

void fathom_barrier(void) {
#pragma omp barrier
}

#else  // built without OpenMP (cross-checks under an emulator): one thread

int fathom_threads_available(void) { return 1; }
void fathom_parallel(int threads, fathom_team_body *body, void *context) {
    (void)threads;
    body(context, 0, 1);
}
void fathom_barrier(void) {}

#endif
