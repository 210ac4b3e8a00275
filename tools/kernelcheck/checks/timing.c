// Speed: samples for measuring, and the best of interleaved rounds.
#define _DEFAULT_SOURCE  // mmap, clocks and signals under -std=c11
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct kernel_sample {
    kernel_case c;
};

kernel_sample *kernel_sample_create(fathom_operation operation, size_t rows, size_t inputs, size_t outputs, fathom_activation activation) {
    kernel_sample *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->c.plan = (plan){rows, inputs, outputs, activation, 0, VALUES_ORDINARY, false};
    s->c.random = (generator){1};
    s->c.call.operation = operation;
    kernel_check_list[operation].make(&s->c, operation);
    return s;
}

const fathom_call *kernel_sample_call(const kernel_sample *sample) { return &sample->c.call; }

void kernel_sample_destroy(kernel_sample *sample) {
    if (!sample) return;
    case_release(&sample->c);
    free(sample);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double seconds_of(fathom_kernel *kernel, const fathom_call *call, size_t repetitions) {
    fathom_grid g = fathom_grid_of(call);
    double begin = now();
    for (size_t i = 0; i < repetitions; i++) kernel(&call->arguments, (fathom_range){0, g.rows, 0, g.panels});
    return (now() - begin) / repetitions;
}

enum { ROUNDS = 9, SETS = 8 };

void kernel_time(fathom_operation operation, const char *const isas[], size_t count, double *reference_seconds, double seconds[],
                 double *flops, double *bytes) {
    const kernel_check_entry *entry = &kernel_check_list[operation];
    bool activates = operation == FATHOM_ACTIVATION_FORWARD || operation == FATHOM_ACTIVATION_BACKWARD;
    kernel_sample *s = kernel_sample_create(operation, entry->time_rows, entry->time_inputs, entry->time_outputs,
                                            activates ? FATHOM_TANH : FATHOM_IDENTITY);
    const fathom_call *call = kernel_sample_call(s);
    fathom_grid g = fathom_grid_of(call);
    *flops = g.flops;
    *bytes = g.bytes;
    fathom_kernel *kernels[SETS + 1] = {fathom_kernels_named("reference")->kernels[operation]};
    size_t repetitions[SETS + 1];
    double best[SETS + 1];
    if (count > SETS) count = SETS;
    for (size_t k = 0; k <= count; k++) {
        if (k) kernels[k] = fathom_kernels_named(isas[k - 1])->kernels[operation];
        best[k] = seconds_of(kernels[k], call, 1);
        best[k] = seconds_of(kernels[k], call, 1);  // the first one warmed up
        repetitions[k] = best[k] < 1e-3 ? (size_t)(1e-3 / (best[k] + 1e-8)) + 1 : 1;
    }
    for (int round = 0; round < ROUNDS; round++)
        for (size_t k = 0; k <= count; k++) {
            double t = seconds_of(kernels[k], call, repetitions[k]);
            if (t < best[k]) best[k] = t;
        }
    *reference_seconds = best[0];
    for (size_t k = 0; k < count; k++) seconds[k] = best[k + 1];
    kernel_sample_destroy(s);
}
