// The only file that speaks OpenMP. Swift's clang ships no omp.h, so the few functions used are declared here. Debian's runtime
// (LLVM 14) lacks what newer clangs emit for dynamic schedules: only parallel regions, barriers and division by hand are used.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "table.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { SPINS = 4096 };  // some 50 to 100 µs

static void run_alone(fathom_team_body *body, void *context) {
    fathom_gate gate = {0};
    fathom_offers offers = {0};
    body(context, 0, (fathom_team){1, &gate, &offers});
}

#ifdef _OPENMP

int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);

int fathom_threads_available(void) {
    int threads = omp_get_max_threads();
    return threads < 1 ? 1 : threads;
}

void fathom_parallel(int threads, fathom_team_body *body, void *context) {
    if (threads <= 1) {
        run_alone(body, context);
        return;
    }
    fathom_gate gate = {0};
    fathom_offers offers[threads];
    memset(offers, 0, sizeof offers);
#pragma omp parallel num_threads(threads)
    body(context, omp_get_thread_num(), (fathom_team){omp_get_num_threads(), &gate, offers});
}

#else  // built without OpenMP (cross-checks under an emulator): one thread

int fathom_threads_available(void) { return 1; }
void fathom_parallel(int threads, fathom_team_body *body, void *context) {
    (void)threads;
    run_alone(body, context);
}

#endif

typedef struct member {
    void (*body)(void *context);
    void *context;
} member;

static void run_member(void *context, int thread, fathom_team team) {
    (void)thread;
    member *m = context;
    m->body(m->context);
#ifdef __linux__
    fathom_barrier(team);  // which soon sleeps, where OpenMP's own spins for a fifth of a second; elsewhere it yields for as long as the others take
#else
    (void)team;
#endif
}

void fathom_together(int threads, void (*body)(void *context), void *context) { fathom_parallel(threads, run_member, &(member){body, context}); }

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Sleeps while the phase is the old one. A thread that yields instead is run again at once, by the scheduler's reckoning, while the one that it waits for
// stands in a queue: seconds a step where a second program kept one of two processors busy.
static void sleep_while(fathom_gate *gate, unsigned phase) {
    atomic_fetch_add(&gate->sleepers, 1);
#ifdef __linux__
    syscall(SYS_futex, &gate->phase, FUTEX_WAIT_PRIVATE, phase, NULL, NULL, 0);
#else
    if (atomic_load(&gate->phase) == phase) sched_yield();
#endif
    atomic_fetch_sub(&gate->sleepers, 1);
}

static void wake_all(fathom_gate *gate) {
#ifdef __linux__
    if (atomic_load(&gate->sleepers) > 0) syscall(SYS_futex, &gate->phase, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void)gate;
#endif
}

// The last to arrive opens the next phase. The others spin, since a thread's share of a call takes microseconds; who has waited for longer than that waits
// for a thread that has lost its processor, and gives it its own.
void fathom_barrier(fathom_team team) {
    if (team.threads == 1) return;
    fathom_gate *gate = team.gate;
    unsigned phase = atomic_load_explicit(&gate->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&gate->arrived, 1, memory_order_acq_rel) == team.threads - 1) {
        atomic_store_explicit(&gate->arrived, 0, memory_order_relaxed);
        atomic_store(&gate->phase, phase + 1);
        wake_all(gate);
        return;
    }
    for (int turns = 0; atomic_load_explicit(&gate->phase, memory_order_acquire) == phase; turns++) {
        if (turns < SPINS) relax();
        else sleep_while(gate, phase);
    }
}
