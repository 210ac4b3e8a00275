// Runs the cases of one operation: the reference once, then every instruction set, in one piece, in random pieces, piece by piece alone,
// and, for the set in use, on teams of threads.
#define _DEFAULT_SOURCE  // mmap, clocks and signals under -std=c11
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct run {
    kernel_case c;
    fathom_operation operation;
    const kernel_check_options *options;
    size_t index;
    const char *isa, *manner;  // of the kernel that is running
} run;

// For the report of a kernel that reads or writes where it must not.
static _Thread_local run *running;

// The processor's floating-point settings: rounding, flushing, traps; not the flags that every operation raises.
static uint64_t float_settings(void) {
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3fu;
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#else
    return 0;
#endif
}

static int describe_case(const run *r, char *text, size_t size) {
    static const char *const values[] = {"ordinary", "integer", "wide", "tiny", "special"};
    const plan *p = &r->c.plan;
    int n = snprintf(text, size, "%s, %s: rows %zu, inputs %zu, outputs %zu, activation %s, values %s, options %#x",
                     fathom_operation_name(r->operation), r->isa, p->rows, p->inputs, p->outputs, fathom_activation_name(p->activation),
                     values[p->values], p->options);
    for (int i = 0; i < r->c.fact_count && n < (int)size; i++)
        n += snprintf(text + n, size - n, ", %s %.9g", r->c.facts[i].name, r->c.facts[i].value);
    for (int i = 0; i < r->c.buffer_count && n < (int)size; i++)
        if (r->c.buffers[i].stride) n += snprintf(text + n, size - n, ", %s stride %zu", r->c.buffers[i].name, r->c.buffers[i].stride);
    if (n < (int)size) n += snprintf(text + n, size - n, "; run %s\n", r->manner);
    return n < (int)size ? n : (int)size - 1;
}

static int describe_repetition(const run *r, char *text, size_t size) {
    return snprintf(text, size, "\n  repeat: kernelcheck --kernel %s --isa %s --seed %llu --case %zu", fathom_operation_name(r->operation),
                    r->isa, (unsigned long long)r->options->seed, r->index);
}

static bool failed(const run *r, char *message, const char *what) {
    int n = describe_case(r, message, KERNEL_CHECK_MESSAGE);
    n += snprintf(message + n, KERNEL_CHECK_MESSAGE - n, "  %s", what);
    if (n < KERNEL_CHECK_MESSAGE) describe_repetition(r, message + n, KERNEL_CHECK_MESSAGE - n);
    return false;
}

static bool failed_at(const run *r, char *message, const buffer *b, size_t i, const uint8_t *expected, const char *what) {
    char text[1024];
    int n = position_describe(text, sizeof text, b, i);
    n += snprintf(text + n, sizeof text - n, " %s", what);
    if (expected) {
        n += snprintf(text + n, sizeof text - n, " expected ");
        n += element_describe(text + n, sizeof text - n, b, expected, i);
        n += snprintf(text + n, sizeof text - n, ",");
    }
    n += snprintf(text + n, sizeof text - n, " got ");
    element_describe(text + n, sizeof text - n, b, b->data, i);
    return failed(r, message, text);
}

static void on_bad_access(int signal_number) {
    if (running) {
        char text[KERNEL_CHECK_MESSAGE];
        failed(running, text, "reads or writes outside of its buffers");
        fprintf(stderr, "%s\n", text);
        _exit(1);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void restore(run *r) {
    for (int i = 0; i < r->c.buffer_count; i++)
        if (r->c.buffers[i].written) buffer_restore(&r->c.buffers[i]);
}

static fathom_range whole(fathom_grid g) { return (fathom_range){0, g.rows, 0, g.panels}; }

enum { PARTS = 4 };

// Cuts 0 ..< count at random multiples of step; returns the number of parts, their borders in cuts[0 ... parts].
static size_t cut(generator *g, size_t count, size_t step, size_t cuts[PARTS + 1]) {
    size_t steps = (count + step - 1) / step, parts = 0, wanted = 1 + draw_below(g, PARTS);
    cuts[0] = 0;
    while (cuts[parts] < count) {
        size_t left = steps - cuts[parts] / step;
        size_t share = parts + 1 == wanted ? left : 1 + draw_below(g, left);
        cuts[parts + 1] = share == left ? count : cuts[parts] + share * step;
        parts++;
    }
    return parts;
}

// Runs a kernel on a random partition of the grid, the parts in a random order; alone: each from the initial bytes.
static void run_in_parts(run *r, fathom_kernel *kernel, fathom_grid g, bool alone) {
    size_t rows[PARTS + 1], panels[PARTS + 1], order[PARTS * PARTS];
    size_t down = cut(&r->c.random, g.rows, g.row_step, rows), across = cut(&r->c.random, g.panels, 1, panels), parts = down * across;
    for (size_t i = 0; i < parts; i++) {
        size_t j = draw_below(&r->c.random, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < parts; i++) {
        size_t d = order[i] / across, a = order[i] % across;
        if (alone) restore(r);
        kernel(&r->c.call.arguments, (fathom_range){rows[d], rows[d + 1], panels[a], panels[a + 1]});
        for (int b = 0; alone && b < r->c.buffer_count; b++)
            if (r->c.buffers[b].written) buffer_count_owners(&r->c.buffers[b]);
    }
}

static bool check_buffers(const run *r, char *message) {
    for (int i = 0; i < r->c.buffer_count; i++) {
        const buffer *b = &r->c.buffers[i];
        if (!buffer_margins_intact(b)) {
            char text[128];
            snprintf(text, sizeof text, "writes outside of %s", b->name);
            return failed(r, message, text);
        }
        size_t at = buffer_difference(b);
        if (at < b->count) return failed_at(r, message, b, at, b->expected, "");
    }
    return true;
}

static bool check_owners(const run *r, char *message) {
    for (int i = 0; i < r->c.buffer_count; i++) {
        const buffer *b = &r->c.buffers[i];
        size_t at = b->written ? buffer_owner_violation(b) : b->count;
        if (at < b->count) return failed_at(r, message, b, at, b->expected, b->owners[at] ? "is written by two parts" : "is written by no part");
    }
    return true;
}

// The reference's result becomes what is expected, once it keeps the rules that need no reference.
static bool run_reference(run *r, fathom_grid g, char *message) {
    for (int i = 0; i < r->c.buffer_count; i++) buffer_remember(&r->c.buffers[i]);
    r->isa = "reference";
    r->manner = "in one piece";
    if (g.rows && g.panels) fathom_kernels_named("reference")->kernels[r->operation](&r->c.call.arguments, whole(g));
    for (int i = 0; i < r->c.buffer_count; i++) {
        buffer *b = &r->c.buffers[i];
        const char *rule = "";
        size_t at = buffer_violation(b, r->c.plan.values != VALUES_SPECIAL && r->c.plan.values != VALUES_WIDE, &rule);
        if (at < b->count) return failed_at(r, message, b, at, b->written ? NULL : b->initial, rule);
        buffer_expect(b);
    }
    char text[512];
    verify_function *verify = kernel_check_list[r->operation].verify;
    if (verify && !verify(&r->c, text, sizeof text)) return failed(r, message, text);
    return check_buffers(r, message);
}

static bool run_set(run *r, const fathom_kernel_table *table, fathom_grid g, char *message) {
    fathom_kernel *kernel = table->kernels[r->operation];
    r->isa = table->isa;
    uint64_t settings = float_settings();
    size_t manner = draw_below(&r->c.random, 8);
    // the reference has just run in one piece; it is slow, so its pieces are checked in some cases only
    if (kernel == fathom_kernels_named("reference")->kernels[r->operation] && (manner < 5 || !draw_one_in(&r->c.random, 4))) return true;
    bool threads = table == fathom_kernels() && (g.flops + g.bytes > 100e3 || draw_one_in(&r->c.random, 32));
    if (g.rows && g.panels) {
        if (manner < 5) {
            r->manner = "in one piece";
            restore(r);
            kernel(&r->c.call.arguments, whole(g));
        } else if (manner < 7) {
            r->manner = "in parts";
            restore(r);
            run_in_parts(r, kernel, g, false);
        } else {
            r->manner = "part by part";
            for (int i = 0; i < r->c.buffer_count; i++) buffer_forget_owners(&r->c.buffers[i]);
            run_in_parts(r, kernel, g, true);
            if (!check_owners(r, message)) return false;
            restore(r);
            kernel(&r->c.call.arguments, whole(g));
        }
    } else {
        restore(r);
    }
    if (float_settings() != settings) return failed(r, message, "changes the caller's floating-point settings");
    if (!check_buffers(r, message)) return false;
    for (int team = 1; threads && team <= 3; team++) {
        static const char *const manners[] = {"on one thread", "on two threads", "on three threads"};
        r->manner = manners[team - 1];
        restore(r);
        fathom_run(&r->c.call, 1, team);
        if (float_settings() != settings) return failed(r, message, "changes the caller's floating-point settings");
        if (!check_buffers(r, message)) return false;
    }
    return true;
}

// One case: every generator starts from seed, operation and index, so a case can be repeated alone.
static void start_case(run *r, size_t index) {
    const kernel_check_entry *entry = &kernel_check_list[r->operation];
    generator g = {r->options->seed ^ ((uint64_t)r->operation << 56) ^ ((uint64_t)index << 20)};
    draw(&g);
    r->index = index;
    case_reset(&r->c);
    memset(&r->c.call, 0, sizeof r->c.call);
    r->c.call.operation = r->operation;
    entry->plan(&r->c.plan, &g, index);
    r->c.random = (generator){draw(&g)};
    entry->make(&r->c, r->operation);
}

bool kernel_check(fathom_operation operation, const kernel_check_options *options, const char *const isas[], size_t count,
                  kernel_check_result results[]) {
    const kernel_check_entry *entry = &kernel_check_list[operation];
    run *r = calloc(1, sizeof *r);
    if (!r) abort();
    r->operation = operation;
    r->options = options;
    signal(SIGSEGV, on_bad_access);
    signal(SIGBUS, on_bad_access);
    size_t standing = 0;
    for (size_t s = 0; s < count; s++) {
        const fathom_kernel_table *table = fathom_kernels_named(isas[s]);
        results[s] = (kernel_check_result){.isa = isas[s], .passed = table && table->kernels[operation]};
        standing += results[s].passed;
        if (!results[s].passed)
            snprintf(results[s].failure, KERNEL_CHECK_MESSAGE, "%s, %s: %s", fathom_operation_name(operation), isas[s],
                     table ? "has no kernel" : "this processor or build lacks the instruction set");
    }
    running = r;
    bool one = options->only_case != KERNEL_CHECK_EVERY_CASE;
    size_t begin = one ? (size_t)options->only_case : 0, end = one ? begin + 1 : options->full ? entry->full : entry->quick;
    for (size_t index = begin; index < end && standing; index += options->every) {
        start_case(r, index);
        fathom_grid g = fathom_grid_of(&r->c.call);
        generator parts = r->c.random;
        char message[KERNEL_CHECK_MESSAGE];
        bool reference = run_reference(r, g, message);
        for (size_t s = 0; s < count; s++) {
            if (!results[s].passed) continue;
            r->c.random = parts;
            results[s].cases++;
            results[s].passed = reference && run_set(r, fathom_kernels_named(isas[s]), g, message);
            if (!results[s].passed) {
                memcpy(results[s].failure, message, sizeof message);
                standing--;
            }
        }
    }
    running = NULL;
    case_release(&r->c);
    free(r);
    bool all = true;
    for (size_t s = 0; s < count; s++) all &= results[s].passed;
    return all;
}
