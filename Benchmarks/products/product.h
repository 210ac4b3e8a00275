// Matrix products of training, served one at a time on request, so that libraries can be measured in turn.
//
// A program is this harness (product.c) and one library's four functions. It prints READY; then for each line
// `go ORIENTATION ROWS INPUTS OUTPUTS` on standard input it measures every variant of that product that the library has, each for
// --seconds, and prints one JSON line with the microseconds of each. Anything else ends it.
//
//   forward  Y[rows × outputs]   = X[rows × inputs]·W[inputs × outputs]
//   dgrad    dX[rows × inputs]   = dY[rows × outputs]·Wᵀ
//   wgrad    dW[inputs × outputs] = Xᵀ·dY
//
// A variant is a way of storing and calling: row-major with W as [inputs × outputs] ("io", JAX's and TensorFlow's) or as
// [outputs × inputs] ("oi", PyTorch's), in panels, and so on. Results are checked against float64.
#ifndef PRODUCT_H
#define PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum orientation { FORWARD, DGRAD, WGRAD } orientation;

typedef struct problem {
    orientation orientation;
    size_t rows, inputs, outputs;
} problem;

typedef struct settings {
    int threads;
    double seconds;
    const char *library, *symbol;  // for libraries that are opened while running
} settings;

// What a library's program defines:

// Once, at the start.
bool library_open(const settings *settings);
// The name of variant v; NULL past the last.
const char *variant_name(int v);
// Makes the operands of a variant, fills them with element(…), and readies the call; false where the library has no such product.
bool variant_prepare(int v, const problem *p);
// The product itself: what is timed.
void variant_run(void);
// Element (row, column) of the result, as above; then what variant_prepare made is freed.
float variant_result(size_t row, size_t column);
void variant_free(void);

// What it can use:

enum { X, W, DY };
// Element (row, column) of an operand, in −½ … ½; rows and columns as above, however it is stored.
float element(int operand, size_t row, size_t column);
// rows·columns floats, aligned to 64 bytes: the operand, or its transpose.
float *row_major(int operand, size_t rows, size_t columns, bool transposed);
float *floats(size_t count);

// A product in the words of BLAS, all row-major: C[m × n] = op(A)[m × k]·op(B)[k × n].
typedef struct blas_call {
    int m, n, k, lda, ldb;
    bool transpose_a, transpose_b;
    bool transposed_result;  // C is the result's transpose
    float *a, *b, *c;
} blas_call;
// With W (and dW) stored as [outputs × inputs] or not.
blas_call blas_call_make(const problem *p, bool outputs_first);
float blas_call_result(const blas_call *call, size_t row, size_t column);
void blas_call_free(blas_call *call);

#endif
