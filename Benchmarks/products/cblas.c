// Any library with cblas_sgemm (OpenBLAS, BLIS, MKL), opened while running: --library PATH, --symbol NAME where the function is called otherwise.
// A symbol whose name ends in 64_ takes 64-bit integers.
#include "product.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void sgemm32(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
typedef void sgemm64(int, int, int, long, long, long, float, const float *, long, const float *, long, float, float *, long);

static void *sgemm;
static bool wide;
static blas_call call;

static void set_threads(void *library, int threads) {
    static const char *const names[] = {"openblas_set_num_threads", "scipy_openblas_set_num_threads64_", "bli_thread_set_num_threads", "MKL_Set_Num_Threads"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void (*set)(long) = (void (*)(long))dlsym(library, names[i]);
        if (set) set(threads);
    }
}

bool library_open(const settings *s) {
    const char *symbol = s->symbol ? s->symbol : "cblas_sgemm";
    void *library = s->library ? dlopen(s->library, RTLD_NOW | RTLD_GLOBAL) : NULL;
    sgemm = library ? dlsym(library, symbol) : NULL;
    if (!sgemm) {
        const char *reason = s->library ? dlerror() : "there is no --library";
        fprintf(stderr, "%s\n", reason ? reason : "no such function");
        return false;
    }
    wide = strlen(symbol) > 3 && !strcmp(symbol + strlen(symbol) - 3, "64_");
    set_threads(library, s->threads);
    return true;
}

const char *variant_name(int v) { return (const char *const[]){"io", "oi", NULL}[v]; }

bool variant_prepare(int v, const problem *p) {
    call = blas_call_make(p, v == 1);
    return true;
}

void variant_run(void) {
    int a = call.transpose_a ? TRANSPOSE : NO_TRANSPOSE, b = call.transpose_b ? TRANSPOSE : NO_TRANSPOSE;
    if (wide) ((sgemm64 *)sgemm)(ROW_MAJOR, a, b, call.m, call.n, call.k, 1, call.a, call.lda, call.b, call.ldb, 0, call.c, call.n);
    else ((sgemm32 *)sgemm)(ROW_MAJOR, a, b, call.m, call.n, call.k, 1, call.a, call.lda, call.b, call.ldb, 0, call.c, call.n);
}

float variant_result(size_t row, size_t column) { return blas_call_result(&call, row, column); }
void variant_free(void) { blas_call_free(&call); }
