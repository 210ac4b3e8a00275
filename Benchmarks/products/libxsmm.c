// libxsmm, made for small products: one compiled kernel for each thread's rows of the result, in the storage that needs no transposition.
// Row-major C = A·B is to it, which counts by columns, Cᵀ = Bᵀ·Aᵀ.
#include "product.h"

#include <libxsmm.h>
#include <omp.h>

enum { MOST_THREADS = 256 };

static int threads, used;
static blas_call call;
static libxsmm_smmfunction kernels[MOST_THREADS];
static int begins[MOST_THREADS + 1];

bool library_open(const settings *s) {
    libxsmm_init();
    threads = s->threads < MOST_THREADS ? s->threads : MOST_THREADS;
    return true;
}

const char *variant_name(int v) { return (const char *const[]){"io", "oi", NULL}[v]; }

static bool dispatch(int t) {
    int m = call.n, n = begins[t + 1] - begins[t], k = call.k, lda = call.ldb, ldb = call.lda, ldc = call.n;
    float alpha = 1, beta = 0;
    int flags = call.transpose_a ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_PREFETCH_NONE;
    kernels[t] = libxsmm_smmdispatch(m, n, k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
    return kernels[t] != NULL;
}

// Large products are not what its kernels, which know no blocks of the caches, are for.
bool variant_prepare(int v, const problem *p) {
    if ((double)p->rows * p->inputs * p->outputs > 4e8) return false;
    call = blas_call_make(p, v == 1);
    used = call.m < threads ? 1 : threads;
    bool ready = !call.transpose_b;
    for (int t = 0; t <= used; t++) begins[t] = (int)((long)call.m * t / used);
    for (int t = 0; ready && t < used; t++) ready = dispatch(t);
    if (!ready) blas_call_free(&call);
    return ready;
}

static void run_share(int t) {
    int begin = begins[t];
    kernels[t](call.b, call.a + (call.transpose_a ? begin : (long)begin * call.k), call.c + (long)begin * call.n);
}

void variant_run(void) {
    if (used == 1) {
        run_share(0);
        return;
    }
#pragma omp parallel num_threads(used)
    run_share(omp_get_thread_num());
}

float variant_result(size_t row, size_t column) { return blas_call_result(&call, row, column); }
void variant_free(void) { blas_call_free(&call); }
