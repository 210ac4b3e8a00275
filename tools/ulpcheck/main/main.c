// ulpcheck: the transcendental functions and the activations against float64, over every float32 input.
#include "fathom_kernels.h"
#include "ulp_measure.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: ulpcheck [FUNCTION ...] [--isa NAME] [--stride N] [--threads N] [--equal | --time]\n"
    "Compares each function (all, where none is named; gelu' is gelu's derivative) with float64 over every float32 input,\n"
    "or every N-th, and prints its worst error in units in the last place. Exit status 1: an error above its bound, or a wrong special value.\n"
    "  --equal  instead, a hash of the results on each instruction set; exit status 1 where they differ (N is 1009 where not given)\n"
    "  --time   instead, nanoseconds per element on each instruction set, in the first-level cache\n";

typedef struct options {
    const char *isa;
    uint64_t stride;
    int threads;
    enum { MEASURE, EQUAL, TIME } mode;
    const char **names;
    int name_count;
} options;

typedef struct share {
    const ulp_function *function;
    const char *isa;
    uint64_t first, stride;
    ulp_result result;
} share;

static void *measure_share(void *argument) {
    share *s = argument;
    s->result = ulp_measure(s->function, s->isa, s->first, s->stride);
    return NULL;
}

static bool measure(const ulp_function *f, const options *o) {
    enum { MOST = 64 };
    share shares[MOST];
    pthread_t threads[MOST];
    for (int t = 0; t < o->threads; t++) {
        shares[t] = (share){f, o->isa, t * o->stride, o->threads * o->stride, {0}};
        if (pthread_create(&threads[t], NULL, measure_share, &shares[t]) != 0) {
            fprintf(stderr, "ulpcheck: thread %d of %d could not be started; give fewer with --threads\n", t + 1, o->threads);
            exit(70);
        }
    }
    ulp_result all = {0};
    for (int t = 0; t < o->threads; t++) {
        pthread_join(threads[t], NULL);
        const ulp_result *r = &shares[t].result;
        if (r->worst > all.worst) all.worst = r->worst, all.worst_at = r->worst_at;
        if (r->wrong) all.wrong_at = r->wrong_at;
        all.inputs += r->inputs;
        all.wrong += r->wrong;
    }
    bool good = all.worst <= f->bound && all.wrong == 0;
    printf("%-18s %11llu inputs  worst %.4f ulp at %a (%.9g), bound %g%s", f->name, (unsigned long long)all.inputs, all.worst, all.worst_at,
           all.worst_at, f->bound, good ? "\n" : "");
    if (all.wrong) printf("; %llu special values wrong, such as at %a", (unsigned long long)all.wrong, all.wrong_at);
    if (!good) printf("  FAILS\n");
    fflush(stdout);
    return good;
}

static bool equal(const ulp_function *f, const options *o) {
    if (f->pass == ULP_ELEMENTARY) return true;
    uint64_t expected = ulp_hash(f, "reference", o->stride);
    bool good = true;
    printf("%-18s %016llx", f->name, (unsigned long long)expected);
    for (size_t i = 1; fathom_isa_name(i); i++) {
        bool same = ulp_hash(f, fathom_isa_name(i), o->stride) == expected;
        printf("  %s %s", fathom_isa_name(i), same ? "identical" : "DIFFERENT");
        good &= same;
    }
    printf("\n");
    fflush(stdout);
    return good;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

// The best of many rounds over 1,024 inputs between −6 and 6.
static double nanoseconds(const ulp_function *f, const char *isa) {
    enum { COUNT = 1024, ROUNDS = 2000 };
    static _Alignas(64) float x[COUNT], y[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i * 389 % COUNT) * (12.0f / COUNT) - 6;
    double best = 1e30;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        for (int k = 0; k < 4; k++) ulp_evaluate(f, isa, x, y, COUNT);
        double elapsed = (now() - start) / (4 * COUNT);
        if (elapsed < best) best = elapsed;
    }
    return best;
}

static void print_times(const ulp_function *f) {
    if (f->pass == ULP_ELEMENTARY) return;
    printf("%-18s", f->name);
    for (size_t i = 1; fathom_isa_name(i); i++) printf("  %s %6.3f ns", fathom_isa_name(i), nanoseconds(f, fathom_isa_name(i)));
    printf("\n");
    fflush(stdout);
}

static uint64_t number(const char *flag, const char *text, uint64_t most) {
    char *end;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || *end || value < 1 || value > most) {
        fprintf(stderr, "ulpcheck: %s takes a number from 1 to %llu\n", flag, (unsigned long long)most);
        exit(64);
    }
    return value;
}

static options parsed(int count, char **arguments) {
    options o = {.threads = 2, .names = malloc(sizeof(char *) * (size_t)count)};
    for (size_t i = 0; fathom_isa_name(i); i++) o.isa = fathom_isa_name(i);
    for (int i = 1; i < count; i++) {
        const char *a = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(a, "--stride") == 0) o.stride = number(a, value, UINT32_MAX), i++;
        else if (strcmp(a, "--threads") == 0) o.threads = (int)number(a, value, 64), i++;
        else if (strcmp(a, "--isa") == 0) o.isa = value ? value : "", i++;
        else if (strcmp(a, "--equal") == 0) o.mode = EQUAL;
        else if (strcmp(a, "--time") == 0) o.mode = TIME;
        else if (a[0] == '-') {
            fputs(usage, strcmp(a, "--help") == 0 ? stdout : stderr);
            exit(strcmp(a, "--help") == 0 ? 0 : 64);
        } else o.names[o.name_count++] = a;
    }
    if (o.stride == 0) o.stride = o.mode == EQUAL ? 1009 : 1;
    if (!fathom_kernels_named(o.isa)) {
        fprintf(stderr, "ulpcheck: this processor has no instruction set '%s'; it has", o.isa);
        for (size_t i = 0; fathom_isa_name(i); i++) fprintf(stderr, " %s", fathom_isa_name(i));
        fprintf(stderr, "\n");
        exit(64);
    }
    return o;
}

static bool wanted(const ulp_function *f, const options *o) {
    for (int i = 0; i < o->name_count; i++)
        if (strcmp(o->names[i], f->name) == 0) return true;
    return o->name_count == 0;
}

int main(int count, char **arguments) {
    options o = parsed(count, arguments);
    size_t functions;
    const ulp_function *all = ulp_functions(&functions);
    for (int i = 0; i < o.name_count; i++) {
        bool known = false;
        for (size_t k = 0; k < functions; k++) known |= strcmp(o.names[i], all[k].name) == 0;
        if (known) continue;
        fprintf(stderr, "ulpcheck: there is no function '%s'; there are", o.names[i]);
        for (size_t k = 0; k < functions; k++) fprintf(stderr, " %s", all[k].name);
        fprintf(stderr, "\n");
        return 64;
    }
    bool good = true;
    for (size_t k = 0; k < functions; k++) {
        if (!wanted(&all[k], &o)) continue;
        if (o.mode == TIME) print_times(&all[k]);
        else good &= o.mode == EQUAL ? equal(&all[k], &o) : measure(&all[k], &o);
    }
    free(o.names);
    return good ? 0 : 1;
}
