// oneDNN, version 2 or 3, with GNU's OpenMP: its sgemm, and its matmul primitive with the weights in the format that the library likes best
// (packed beforehand, untimed; the weight gradient has no weights to pack).
#include "product.h"

#include "oneapi/dnnl/dnnl.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static blas_call call;
static bool primitive;
static dnnl_primitive_t matmul;
static dnnl_memory_t source, plain_weights, weights, target;

static void check(dnnl_status_t status, const char *what) {
    if (status == dnnl_success) return;
    fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
    exit(70);
}
#define CHECK(expression) check(expression, #expression)

// Descriptors are values in version 2, handles in version 3.
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor;
typedef const_dnnl_memory_desc_t descriptor_reference;
static descriptor_reference reference(const descriptor *d) { return *d; }

static descriptor describe(int rows, int columns, dnnl_format_tag_t tag) {
    descriptor d;
    CHECK(dnnl_memory_desc_create_with_tag(&d, 2, (dnnl_dims_t){rows, columns}, dnnl_f32, tag));
    return d;
}

static dnnl_primitive_desc_t matmul_description(descriptor *a, descriptor *b, descriptor *c) {
    dnnl_primitive_desc_t d;
    CHECK(dnnl_matmul_primitive_desc_create(&d, engine, *a, *b, NULL, *c, NULL));
    return d;
}

static descriptor chosen_weights(dnnl_primitive_desc_t d) { return (descriptor)dnnl_primitive_desc_query_md(d, dnnl_query_weights_md, 0); }
#else
typedef dnnl_memory_desc_t descriptor;
typedef const dnnl_memory_desc_t *descriptor_reference;
static descriptor_reference reference(const descriptor *d) { return d; }

static descriptor describe(int rows, int columns, dnnl_format_tag_t tag) {
    descriptor d;
    CHECK(dnnl_memory_desc_init_by_tag(&d, 2, (dnnl_dims_t){rows, columns}, dnnl_f32, tag));
    return d;
}

static dnnl_primitive_desc_t matmul_description(descriptor *a, descriptor *b, descriptor *c) {
    dnnl_matmul_desc_t operation;
    dnnl_primitive_desc_t d;
    CHECK(dnnl_matmul_desc_init(&operation, a, b, NULL, c));
    CHECK(dnnl_primitive_desc_create(&d, &operation, NULL, engine, NULL));
    return d;
}

static descriptor chosen_weights(dnnl_primitive_desc_t d) { return *dnnl_primitive_desc_query_md(d, dnnl_query_weights_md, 0); }
#endif

bool library_open(const settings *s) {
    omp_set_num_threads(s->threads);
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    const dnnl_version_t *version = dnnl_version();
    fprintf(stderr, "oneDNN %d.%d.%d\n", version->major, version->minor, version->patch);
    return true;
}

const char *variant_name(int v) { return (const char *const[]){"sgemm io", "sgemm oi", "matmul", NULL}[v]; }

static dnnl_memory_t memory_at(descriptor d, void *data) {
    dnnl_memory_t m;
    CHECK(dnnl_memory_create(&m, reference(&d), engine, data));
    return m;
}

// The weights in the primitive's format.
static void pack_weights(void) {
    dnnl_primitive_desc_t d;
    dnnl_primitive_t reorder;
    descriptor_reference from, to;
    CHECK(dnnl_memory_get_memory_desc(plain_weights, &from));
    CHECK(dnnl_memory_get_memory_desc(weights, &to));
    CHECK(dnnl_reorder_primitive_desc_create(&d, from, engine, to, engine, NULL));
    CHECK(dnnl_primitive_create(&reorder, d));
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, plain_weights}, {DNNL_ARG_TO, weights}};
    CHECK(dnnl_primitive_execute(reorder, stream, 2, arguments));
    CHECK(dnnl_stream_wait(stream));
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(d);
}

static void prepare_matmul(const problem *p) {
    descriptor a = describe(call.m, call.k, call.transpose_a ? dnnl_ba : dnnl_ab);
    descriptor b = describe(call.k, call.n, call.transpose_b ? dnnl_ba : dnnl_ab), c = describe(call.m, call.n, dnnl_ab);
    descriptor any = p->orientation == WGRAD ? b : describe(call.k, call.n, dnnl_format_tag_any);
    dnnl_primitive_desc_t d = matmul_description(&a, &any, &c);
    source = memory_at(a, call.a);
    plain_weights = memory_at(b, call.b);
    weights = memory_at(chosen_weights(d), DNNL_MEMORY_ALLOCATE);
    target = memory_at(c, call.c);
    pack_weights();
    CHECK(dnnl_primitive_create(&matmul, d));
    dnnl_primitive_desc_destroy(d);
}

bool variant_prepare(int v, const problem *p) {
    call = blas_call_make(p, v == 1);
    primitive = v == 2;
    if (primitive) prepare_matmul(p);
    return true;
}

void variant_run(void) {
    if (!primitive) {
        CHECK(dnnl_sgemm(call.transpose_a ? 'T' : 'N', call.transpose_b ? 'T' : 'N', call.m, call.n, call.k, 1, call.a, call.lda, call.b, call.ldb, 0,
                         call.c, call.n));
        return;
    }
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, target}};
    CHECK(dnnl_primitive_execute(matmul, stream, 3, arguments));
    CHECK(dnnl_stream_wait(stream));
}

float variant_result(size_t row, size_t column) { return blas_call_result(&call, row, column); }

void variant_free(void) {
    if (primitive) {
        dnnl_primitive_destroy(matmul);
        for (int i = 0; i < 4; i++) dnnl_memory_destroy((dnnl_memory_t[]){source, plain_weights, weights, target}[i]);
    }
    blas_call_free(&call);
}
