// What the groups of checks share: a generator, guarded buffers, and the plan of a case.
//
// A case is made from a plan (sizes, flags, kind of values): the group's `make` takes buffers and fills in a call. The harness then runs the
// reference and every instruction set on it, each from the same initial bytes, and compares everything that lies in the buffers.
#ifndef KERNEL_HARNESS_H
#define KERNEL_HARNESS_H

#include "kernel_checks.h"

// splitmix64 (Steele, Lea & Flood 2014)
typedef struct generator {
    uint64_t state;
} generator;

uint64_t draw(generator *g);
size_t draw_below(generator *g, size_t bound);  // 0 where bound is 0
bool draw_one_in(generator *g, size_t n);

// What inputs are filled with.
typedef enum values {
    VALUES_ORDINARY,  // uniform in −1 … 1, all bits of the mantissa used
    VALUES_INTEGERS,  // −3 … 3: exact cancellation, zeros
    VALUES_WIDE,      // every exponent, subnormals included: products overflow and underflow
    VALUES_TINY,      // as far as 2^-100: products vanish, and leave zeros of either sign
    VALUES_SPECIAL,   // ordinary, with ±0, subnormals, the largest, ±∞ and NaN planted
} values;

float draw_float(generator *g, values v);

typedef struct plan {
    size_t rows, inputs, outputs;  // operations on one matrix use rows × outputs
    fathom_activation activation;
    uint32_t options;  // independent random bits; what each decides is the operation's business. 0: the ordinary call
    values values;
    bool strided;  // panels farther apart than their rows
} plan;

typedef enum element { ELEMENT_FLOAT, ELEMENT_DOUBLE, ELEMENT_INT32, ELEMENT_BYTE, ELEMENT_UINT16, ELEMENT_UPDATE } element;
typedef enum padding { PADDING_ZERO, PADDING_FREE } padding;  // what lanes past the last column hold: zero, or anything finite

// Memory of a case: exactly as long as it must be, the page after (or before) it unreadable, bytes around it watched.
typedef struct buffer {
    const char *name;
    element element;
    size_t count;                  // elements
    size_t rows, columns, stride;  // of a matrix in panels; stride 0: flat
    padding padding;
    bool written;                               // by the operation; else it must stay as it is
    uint8_t *data, *initial, *expected, *owners;  // owners: by how many parts of the grid an element was written
    uint8_t *map;                               // kept from case to case, with `capacity` usable bytes between its guards
    size_t capacity;
} buffer;

enum { CASE_BUFFERS = 12, CASE_FACTS = 16 };

typedef struct kernel_case {
    fathom_call call;
    plan plan;
    generator random;
    buffer buffers[CASE_BUFFERS];
    int buffer_count;
    struct {
        const char *name;
        double value;
    } facts[CASE_FACTS];  // what a failure reports beside the plan
    int fact_count;
} kernel_case;

// A matrix that the operation reads; its padding is zero or finite junk, the gaps between its panels are NaN.
float *read_matrix(kernel_case *c, const char *name, size_t rows, size_t columns, padding padding, size_t *stride);
// A matrix that the operation writes: before it NaN, or, where `stored`, values that it goes on from.
float *written_matrix(kernel_case *c, const char *name, size_t rows, size_t columns, padding padding, bool stored, size_t *stride);
// Vectors of `columns` floats padded to whole panels.
float *read_vector(kernel_case *c, const char *name, size_t columns, padding padding);
float *written_vector(kernel_case *c, const char *name, size_t columns, padding padding, bool stored);
// `count` elements as they are, aligned to 64 bytes or, where they are the caller's row-major data, to the element alone. Filled with NaN
// or a canary; the caller writes what is read.
void *flat(kernel_case *c, const char *name, element element, size_t count, bool written, bool unaligned);
// Where the blocks of a gradient of `rows` rows in `panels` panels go, in half of the cases; nowhere in the others. Low ones where the plan says so.
enum { LOW_BLOCKS = 1 << 22 };
fathom_signal_blocks signal_blocks(kernel_case *c, size_t rows, size_t panels);
void fact(kernel_case *c, const char *name, double value);

// buffers.c
void case_reset(kernel_case *c);
void case_release(kernel_case *c);
void buffer_remember(buffer *b);  // initial ← data
void buffer_restore(buffer *b);   // data ← initial
void buffer_expect(buffer *b);    // expected ← data
bool buffer_margins_intact(const buffer *b);
size_t element_size(element e);
// Index of the first element of data that is not as expected, count where none is. NaNs equal NaNs; −0 is not +0.
size_t buffer_difference(const buffer *b);
// The same for what holds without a reference: what is not written is unchanged, gaps too; padding is zero, or finite from ordinary values.
size_t buffer_violation(const buffer *b, bool finite, const char **rule);
// Owners: each element that differs from its initial bits is counted after each part ran alone; it must have one owner at most, and
// one where its expected value is not its initial one.
void buffer_forget_owners(buffer *b);
void buffer_count_owners(buffer *b);
size_t buffer_owner_violation(const buffer *b);
int element_describe(char *text, size_t size, const buffer *b, const uint8_t *bytes, size_t index);
int position_describe(char *text, size_t size, const buffer *b, size_t index);

// The independent check of a reference's result, where an operation has one: writes what is wrong to `message` and returns false.
typedef bool verify_function(kernel_case *c, char *message, size_t size);
typedef void make_function(kernel_case *c, fathom_operation operation);
typedef void plan_function(plan *p, generator *g, size_t index);

typedef struct kernel_check_entry {
    plan_function *plan;
    make_function *make;
    verify_function *verify;
    size_t quick, full;                      // cases
    size_t time_rows, time_inputs, time_outputs;  // the shape that --time measures
} kernel_check_entry;

extern const kernel_check_entry kernel_check_list[FATHOM_OPERATIONS];

make_function make_forward, make_dgrad, make_wgrad, make_transpose, make_bias_gradient, make_squared_norm, make_loss_mean;
make_function make_clip, make_clip_values, make_clip_tensor, make_clip_units;
make_function make_activation_forward, make_activation_backward, make_loss, make_softmax, make_argmax, make_optimizer;
make_function make_gather, make_gather_classes, make_scatter, make_random;
make_function make_add, make_fill, make_dropout, make_dot, make_dot_total;
make_function make_steps, make_lstm, make_gru;
make_function make_layernorm_forward, make_layernorm_backward, make_layernorm_gradient;
make_function make_batchnorm_forward, make_batchnorm_inference, make_batchnorm_backward, make_moving_average;
make_function make_moments, make_signal_total, make_change_total, make_exponents;
verify_function verify_forward, verify_dgrad, verify_wgrad, verify_transpose, verify_scatter, verify_lstm, verify_gru;

#endif
