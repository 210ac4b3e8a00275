// kernelcheck: checks every kernel against its plain-C reference on every instruction set of this machine, and times it.
#define _DEFAULT_SOURCE  // sysconf under -std=c11
#include "kernel_checks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: kernelcheck [--isa NAME …] [--kernel NAME …] [--seed N] [--quick|--full] [--every N]\n"
    "                   [--time] [--list]\n"
    "\n"
    "Checks kernels against their plain-C reference, bit for bit, on every instruction set that this processor can run.\n"
    "\n"
    "  --isa NAME      this instruction set; may be repeated (default: all)\n"
    "  --kernel NAME   this operation; may be repeated (default: all)\n"
    "  --seed N        seed of the cases (default: the time; it is printed)\n"
    "  --quick         all small sizes and a few hundred large ones (default)\n"
    "  --full          thousands of large ones too\n"
    "  --every N       each N-th of these cases, where time is short (default: 1)\n"
    "  --case N        the N-th case alone, as a failure's report says\n"
    "  --time          the speed of each kernel on one thread (activations: tanh), and how many times the reference's it is\n"
    "  --list          names of instruction sets and operations\n";

enum { SETS = 8 };

typedef struct settings {
    kernel_check_options check;
    const char *isas[SETS];
    size_t isa_count;
    bool wanted[FATHOM_OPERATIONS], any_wanted, time;
} settings;

static void refuse(const char *what, const char *value) {
    fprintf(stderr, "kernelcheck: %s '%s'; kernelcheck --list names what there is, --help explains\n", what, value);
    exit(64);
}

static unsigned long long number(const char *option, const char *text) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-') {
        fprintf(stderr, "kernelcheck: %s takes a whole number from 0, not '%s'\n", option, text);
        exit(64);
    }
    return n;
}

static void list(void) {
    printf("instruction sets:");
    for (size_t i = 0; fathom_isa_name(i); i++) printf(" %s", fathom_isa_name(i));
    printf("\noperations:\n");
    for (int k = 0; k < FATHOM_OPERATIONS; k++) printf("  %s\n", fathom_operation_name((fathom_operation)k));
    exit(0);
}

static void add_isa(settings *s, const char *name) {
    for (size_t i = 0; fathom_isa_name(i); i++)
        if (strcmp(fathom_isa_name(i), name) == 0 && s->isa_count < SETS) {
            s->isas[s->isa_count++] = fathom_isa_name(i);
            return;
        }
    refuse("this processor or build has no instruction set", name);
}

static void add_kernel(settings *s, const char *name) {
    for (int k = 0; k < FATHOM_OPERATIONS; k++)
        if (strcmp(fathom_operation_name((fathom_operation)k), name) == 0) {
            s->wanted[k] = s->any_wanted = true;
            return;
        }
    refuse("unknown kernel", name);
}

static settings parse(int count, char **arguments) {
    settings s = {.check = {.seed = (uint64_t)time(NULL), .only_case = KERNEL_CHECK_EVERY_CASE, .every = 1}};
    for (int i = 1; i < count; i++) {
        const char *option = arguments[i];
        bool takes_value = !strcmp(option, "--isa") || !strcmp(option, "--kernel") || !strcmp(option, "--seed") || !strcmp(option, "--every") ||
                           !strcmp(option, "--case");
        if (takes_value && i + 1 == count) {
            fprintf(stderr, "kernelcheck: %s needs a value\n", option);
            exit(64);
        }
        const char *value = takes_value ? arguments[++i] : "";
        if (!strcmp(option, "--isa")) add_isa(&s, value);
        else if (!strcmp(option, "--kernel")) add_kernel(&s, value);
        else if (!strcmp(option, "--seed")) s.check.seed = number(option, value);
        else if (!strcmp(option, "--every")) s.check.every = number(option, value);
        else if (!strcmp(option, "--case")) s.check.only_case = (long long)number(option, value);
        else if (!strcmp(option, "--quick")) s.check.full = false;
        else if (!strcmp(option, "--full")) s.check.full = true;
        else if (!strcmp(option, "--time")) s.time = true;
        else if (!strcmp(option, "--list")) list();
        else if (!strcmp(option, "--help") || !strcmp(option, "-h")) {
            fputs(usage, stdout);
            exit(0);
        } else refuse("unknown option", option);
    }
    if (s.check.every == 0) refuse("--every takes a number from 1, not", "0");
    if (!s.isa_count)
        while (s.isa_count < SETS && fathom_isa_name(s.isa_count)) {
            s.isas[s.isa_count] = fathom_isa_name(s.isa_count);
            s.isa_count++;
        }
    for (int k = 0; k < FATHOM_OPERATIONS; k++) s.wanted[k] |= !s.any_wanted;
    return s;
}

static void print_speed(fathom_operation operation, double reference, double seconds, double flops, double bytes) {
    bool product = operation == FATHOM_GEMM_FORWARD || operation == FATHOM_GEMM_DGRAD || operation == FATHOM_GEMM_WGRAD;
    if (product) printf("  %8.2f GFLOP/s", flops / seconds * 1e-9);
    else if (bytes > 0) printf("  %8.2f GB/s   ", bytes / seconds * 1e-9);
    else printf("  %8.3f µs     ", seconds * 1e6);
    printf("  %6.1f times the reference's", reference / seconds);
}

// Checks run on all processors, an operation each; their lines appear in the list's order.
typedef struct work {
    const settings *s;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    int next;
    bool done[FATHOM_OPERATIONS];
    kernel_check_result results[FATHOM_OPERATIONS][SETS];
} work;

static void *worker(void *context) {
    work *w = context;
    pthread_mutex_lock(&w->lock);
    while (w->next < FATHOM_OPERATIONS) {
        int k = w->next++;
        pthread_mutex_unlock(&w->lock);
        if (w->s->wanted[k]) kernel_check((fathom_operation)k, &w->s->check, w->s->isas, w->s->isa_count, w->results[k]);
        pthread_mutex_lock(&w->lock);
        w->done[k] = true;
        pthread_cond_signal(&w->finished);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static size_t report(const settings *s, fathom_operation operation, const kernel_check_result results[]) {
    size_t failures = 0;
    for (size_t i = 0; i < s->isa_count; i++) {
        printf("%-22s %-10s %8zu cases  %s\n", fathom_operation_name(operation), results[i].isa, results[i].cases,
               results[i].passed ? "ok" : "FAILED");
        bool told = i > 0 && strcmp(results[i].failure, results[i - 1].failure) == 0;
        if (!results[i].passed && !told) printf("  %s\n", results[i].failure);
        failures += !results[i].passed;
    }
    fflush(stdout);
    return failures;
}

static size_t check(const settings *s) {
    static work w = {.lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};
    w.s = s;
    pthread_t threads[64];
    long processors = sysconf(_SC_NPROCESSORS_ONLN), count = 0;
    while (count < processors && count < 64 && pthread_create(&threads[count], NULL, worker, &w) == 0) count++;
    if (count == 0) worker(&w);
    size_t failures = 0;
    for (int k = 0; k < FATHOM_OPERATIONS; k++) {
        pthread_mutex_lock(&w.lock);
        while (!w.done[k]) pthread_cond_wait(&w.finished, &w.lock);
        pthread_mutex_unlock(&w.lock);
        if (s->wanted[k]) failures += report(s, (fathom_operation)k, w.results[k]);
    }
    for (long i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return failures;
}

static void measure(const settings *s) {
    printf("speed on one thread, best of interleaved rounds\n");
    for (int k = 0; k < FATHOM_OPERATIONS; k++) {
        if (!s->wanted[k]) continue;
        double reference, seconds[SETS], flops, bytes;
        kernel_time((fathom_operation)k, s->isas, s->isa_count, &reference, seconds, &flops, &bytes);
        for (size_t i = 0; i < s->isa_count; i++) {
            printf("%-22s %-10s", fathom_operation_name((fathom_operation)k), s->isas[i]);
            print_speed((fathom_operation)k, reference, seconds[i], flops, bytes);
            printf("\n");
        }
    }
}

int main(int count, char **arguments) {
    settings s = parse(count, arguments);
    printf("seed %llu\n", (unsigned long long)s.check.seed);
    size_t failures = check(&s);
    if (failures) printf("%zu failed\n", failures);
    else if (s.time) measure(&s);
    return failures != 0;
}
