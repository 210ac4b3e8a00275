// The whole kernel surface of Fathom: every operation of a training step, as data.
//
// A step is a flat list of calls. A call names an operation and holds its arguments; `fathom_run` walks the list with a
// team of threads, a barrier after each call that does not say `overlaps` or, in a chain, `by_rows`. Nothing here allocates, does I/O, or keeps state beyond the table of
// kernels chosen once for the processor. Sizes are in elements. Memory is the caller's, 64-byte aligned, but for row-major data,
// orders and classes of data sets, which need the alignment of their elements alone.
//
// Matrices are in 16-column panels, [ceil(columns/16)][rows][16] floats: element (r, c) is at
// stride·(c/16) + 16·r + c%16, where the stride, at least 16·rows and a multiple of 16, is the distance between panels in floats.
// So a range of rows is a matrix too. Lanes past the last column ("padding") must be readable; gradients' are
// written as zero, weights' must be zero, activations' may hold anything finite.
//
// What is bit-exact: every operation gives the same bits on every instruction set and every number of threads. The payload
// and sign of a NaN are outside that promise. See Documentation/numerical-contract.md.
#ifndef FATHOM_KERNELS_H
#define FATHOM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FATHOM_PANEL = 16, FATHOM_ALIGNMENT = 64 };

// The functions between layers: y = φ(z). `parameter` is the slope of leaky-relu and the α of elu; others ignore it.
// What the backward pass needs ("saved") is y, or, where fathom_activation_saves_slope says so, φ′(z), which the forward pass leaves.
typedef enum fathom_activation {
    FATHOM_IDENTITY,
    FATHOM_RELU,
    FATHOM_LEAKY_RELU,
    FATHOM_ELU,
    FATHOM_SELU,
    FATHOM_GELU,       // z·Φ(z), by erf
    FATHOM_GELU_TANH,  // ½z(1 + tanh(√(2/π)(z + 0.044715 z³)))
    FATHOM_SILU,
    FATHOM_TANH,
    FATHOM_SIGMOID,
    FATHOM_SOFTPLUS,
    FATHOM_HARD_TANH,
    FATHOM_ACTIVATIONS
} fathom_activation;

// Whether the backward pass reads the slope φ′(z) (gelu, gelu-tanh, silu) rather than the output y: computed beside y it costs half of what it does alone.
bool fathom_activation_saves_slope(fathom_activation activation);

typedef enum fathom_operation {
    FATHOM_GEMM_FORWARD,
    FATHOM_GEMM_DGRAD,
    FATHOM_GEMM_WGRAD,
    FATHOM_TRANSPOSE,
    FATHOM_BIAS_GRADIENT,
    FATHOM_ACTIVATION_FORWARD,
    FATHOM_ACTIVATION_BACKWARD,
    FATHOM_SOFTMAX_CROSS_ENTROPY,
    FATHOM_MEAN_SQUARED_ERROR,
    FATHOM_MEAN_ABSOLUTE_ERROR,
    FATHOM_BINARY_CROSS_ENTROPY,
    FATHOM_HUBER,
    FATHOM_LOSS_MEAN,
    FATHOM_SOFTMAX,
    FATHOM_ARGMAX,
    FATHOM_SQUARED_NORM,
    FATHOM_CLIP,
    FATHOM_CLIP_VALUES,
    FATHOM_CLIP_TENSOR,
    FATHOM_CLIP_UNITS,
    FATHOM_SGD,
    FATHOM_ADAM,
    FATHOM_RMSPROP,
    FATHOM_LION,
    FATHOM_GATHER_BYTES,
    FATHOM_GATHER_FLOATS,
    FATHOM_GATHER_CLASSES,
    FATHOM_SCATTER,
    FATHOM_RANDOM_UNIFORM,
    FATHOM_RANDOM_NORMAL,
    FATHOM_LAYERNORM_FORWARD,
    FATHOM_LAYERNORM_BACKWARD,
    FATHOM_LAYERNORM_GRADIENT,
    FATHOM_BATCHNORM_FORWARD,
    FATHOM_BATCHNORM_INFERENCE,
    FATHOM_BATCHNORM_BACKWARD,
    FATHOM_DROPOUT_FORWARD,
    FATHOM_DROPOUT_BACKWARD,
    FATHOM_ADD,
    FATHOM_DOT,
    FATHOM_DOT_TOTAL,
    FATHOM_FILL,
    FATHOM_STEP_MEAN,
    FATHOM_STEP_SPREAD,
    FATHOM_LSTM_FORWARD,
    FATHOM_LSTM_BACKWARD,
    FATHOM_GRU_FORWARD,
    FATHOM_GRU_BACKWARD,
    FATHOM_MOVING_AVERAGE,
    FATHOM_MOMENTS,
    FATHOM_SIGNAL_TOTAL,
    FATHOM_CHANGE_TOTAL,
    FATHOM_EXPONENTS,
    FATHOM_OPERATIONS
} fathom_operation;

// What the backward pass tells of a signal h = φ(z) and its gradient, of blocks of up to 64 rows of one panel. Sums are in float32: of each 16 rows a chain down each lane, of a
// block's four chains (c₀ + c₁) + (c₂ + c₃), and of the lanes the fixed tree. (Of at most 8 columns and an even number of rows the odd rows have the lanes from 8 on.) The
// gradient's sum is made anew in float64 where it is below FATHOM_LEAST_SQUARES or not finite. h is summed by its distances d to 0 (of sigmoid, softplus and identity to the block's
// first value), and anew, as it is in float64, where Σ d² is so too or less than 8/7 (Σ d)²/n of n entries, since little would be left where the mean is subtracted. Padding lanes
// count nothing.
enum { FATHOM_SIGNAL_ROWS = 64 };
enum { FATHOM_GRADIENT_SQUARES, FATHOM_SLOPE_SQUARES, FATHOM_OUTPUT_SUM, FATHOM_OUTPUT_SQUARES, FATHOM_SIGNAL_SUMS };
enum { FATHOM_SATURATED, FATHOM_SUBNORMAL, FATHOM_ALIVE, FATHOM_NONFINITE, FATHOM_SIGNAL_COUNTS };

typedef struct fathom_signal_blocks {
    // [panels][stride][FATHOM_SIGNAL_SUMS]: Σ (∂L/∂h)²; Σ φ′²; Σ h and Σ h², which are 0 of activations that save their slope. Of identity only the first is not 0, and where
    // a loss has gathered them the last two. NULL: not wanted.
    double *sums;
    // [panels][stride][FATHOM_SIGNAL_COUNTS]: entries with |φ′| below a twentieth of its maximum; entries of ∂L/∂h that are subnormal, zero not among them; bit c: φ′ is not 0 in
    // some row of column c; entries that are infinite or NaN, of h where Σ h² is and of ∂L/∂h ⊙ φ′ where Σ (∂L/∂h)² is. Of identity the first and the third are 0.
    uint16_t *counts;
    size_t rows;    // of a block: FATHOM_SIGNAL_ROWS, or FATHOM_PANEL, as layernorm has them and calls that are `by_rows`, whose rows are divided at multiples of it
    size_t stride;  // blocks of a panel: ceil(its rows/rows), or more where others follow
} fathom_signal_blocks;

// Those of one panel, from row `row` on, with which a block begins.
static inline fathom_signal_blocks fathom_signal_blocks_from(fathom_signal_blocks b, size_t panel, size_t row) {
    if (!b.sums) return b;
    size_t block = b.stride * panel + (b.rows == FATHOM_PANEL ? row / FATHOM_PANEL : row / FATHOM_SIGNAL_ROWS);
    return (fathom_signal_blocks){b.sums + FATHOM_SIGNAL_SUMS * block, b.counts + FATHOM_SIGNAL_COUNTS * block, b.rows, b.stride};
}

// Y = φ(X·W + b). Each element of X·W is one chain of fused multiply-adds over k = 0, 1, …, inputs−1, from zero, or, where
// `accumulate`, from the stored value (of slope where that is kept, which holds the sums until they are done, else of y); then one addition of the bias; then φ.
typedef struct fathom_gemm_forward_arguments {
    size_t rows, inputs, outputs;
    const float *x;     // [rows × inputs]
    size_t x_stride;
    const float *w;     // [inputs × outputs]
    size_t w_stride;
    const float *bias;  // [outputs], padded with zeros to whole panels; NULL: none
    fathom_activation activation;
    float parameter;
    bool accumulate;
    float *slope;       // [rows × outputs] φ′(X·W + b), of an activation that saves it; NULL: not kept
    size_t slope_stride;
    float *y;           // [rows × outputs]; never the same memory as slope
    size_t y_stride;
} fathom_gemm_forward_arguments;

// dX = (dY·Wᵀ) ⊙ φ′(saved): a chain over n = 0 … outputs−1, from zero or from the stored dX; then one multiplication by the
// derivative of the activation that made X (none for identity). Padding lanes of dX become zero.
typedef struct fathom_gemm_dgrad_arguments {
    size_t rows, inputs, outputs;
    const float *dy;     // [rows × outputs]
    size_t dy_stride;
    const float *w;      // [inputs × outputs], or, where `transposed`, [outputs × inputs], Wᵀ as FATHOM_TRANSPOSE makes it once for many products
    size_t w_stride;
    bool transposed;
    fathom_activation activation;
    float parameter;
    bool accumulate;
    const float *saved;  // [rows × inputs]; NULL for identity
    size_t saved_stride;
    float *dx;           // [rows × inputs]
    size_t dx_stride;
    fathom_signal_blocks blocks;  // of the signal, and of the gradient before ⊙ φ′
} fathom_gemm_dgrad_arguments;

// dW = Xᵀ·dY: a chain over r = 0 … rows−1, from zero or from the stored dW, so that micro-batches of consecutive rows give
// the bits of the whole batch. Padding lanes of dW become zero. squares[b·panel + r/16], b = ceil(inputs/16), is the sum of squares of the block of 16
// rows of dW from r in that panel, as squared_norm takes it.
typedef struct fathom_gemm_wgrad_arguments {
    size_t rows, inputs, outputs;
    const float *x;   // [rows × inputs]
    size_t x_stride;
    const float *dy;  // [rows × outputs]
    size_t dy_stride;
    bool accumulate;
    float *dw;        // [inputs × outputs]
    size_t dw_stride;
    double *squares;  // [panels of dW × blocks]; NULL: not wanted
} fathom_gemm_wgrad_arguments;

// T = Mᵀ, padding lanes zero.
typedef struct fathom_transpose_arguments {
    size_t rows, columns;
    const float *m;  // [rows × columns]
    size_t m_stride;
    float *t;        // [columns × rows]
    size_t t_stride;
} fathom_transpose_arguments;

// db = Σ_r dY[r]: a chain of additions over r = 0 … rows−1, from zero or from the stored db. Padding lanes become zero.
typedef struct fathom_bias_gradient_arguments {
    size_t rows, columns;
    const float *dy;  // [rows × columns]
    size_t dy_stride;
    bool accumulate;
    float *db;        // [columns], padded to whole panels
} fathom_bias_gradient_arguments;

// y = φ(z), elementwise; y may be z.
typedef struct fathom_activation_forward_arguments {
    size_t rows, columns;
    fathom_activation activation;
    float parameter;
    const float *z;
    size_t z_stride;
    float *y;
    size_t y_stride;
    float *slope;  // φ′(z), of an activation that saves it; NULL: not kept
    size_t slope_stride;
} fathom_activation_forward_arguments;

// dz = dy·φ′(saved), elementwise; dz may be dy. Padding lanes of dz become zero.
typedef struct fathom_activation_backward_arguments {
    size_t rows, columns;
    fathom_activation activation;
    float parameter;
    const float *saved;
    size_t saved_stride;
    const float *dy;
    size_t dy_stride;
    float *dz;
    size_t dz_stride;
    fathom_signal_blocks blocks;  // of the signal, and of the gradient before ⊙ φ′
} fathom_activation_backward_arguments;

// A loss and its gradient in one pass over the outputs. row_loss[r] is the row's loss: for cross-entropy of the row's class,
// for the others the sum over its columns, not yet divided. dy is the gradient times `scale` (1/rows, or 1/(rows·columns)), zero in padding lanes.
//   FATHOM_SOFTMAX_CROSS_ENTROPY  −(1 − ε)·w[class]·ln p[class] − ε/columns·Σ w[c]·ln p[c], p = softmax(y); reads classes
//   FATHOM_MEAN_SQUARED_ERROR     Σ (y − t)²                      reads targets, like the others
//   FATHOM_MEAN_ABSOLUTE_ERROR    Σ |y − t|                       gradient sign(y − t), sign(0) = 0
//   FATHOM_BINARY_CROSS_ENTROPY   Σ max(y, 0) − y·t + ln(1 + e^−|y|)
//   FATHOM_HUBER                  Σ ½d² where |d| ≤ δ, δ(|d| − ½δ) beyond; d = y − t, δ = parameter
// Where targets were standardized, `units` holds the deviation of each target column: row_loss (and δ) are in the targets' own units, with u·d in
// place of d (mean squared and absolute error, huber), while dy is the gradient of the standardized loss: 2d, sign(d), and d or ±δ/u. NULL: u = 1.
typedef struct fathom_loss_arguments {
    size_t rows, columns;
    const float *y;  // [rows × columns]
    size_t y_stride;
    const int32_t *classes;  // [rows], each in 0 ..< columns
    const float *targets;    // [rows × columns]
    size_t targets_stride;
    const float *units;      // [columns], padded with zeros to whole panels; NULL: 1
    float parameter;
    float smoothing;             // ε, cross-entropy's: the share of the weight that is spread over all classes
    const float *class_weights;  // w, cross-entropy's: [columns], padded with zeros to whole panels; NULL: 1
    float scale;
    double *row_loss;        // [rows]
    float *dy;               // [rows × columns]; NULL: the loss alone
    size_t dy_stride;
    fathom_signal_blocks blocks;  // of y, as of a signal that no activation follows, and of its gradient; only where dy is wanted
} fathom_loss_arguments;

// mean = (Σ row_loss)·scale, in float64, over blocks of 16 rows in order.
typedef struct fathom_loss_mean_arguments {
    size_t rows;
    const double *row_loss;
    double scale;
    double *mean;
} fathom_loss_mean_arguments;

// Softmax of every row, padding lanes zero; and the index of every row's largest value (the first of equals; a NaN is largest).
typedef struct fathom_softmax_arguments {
    size_t rows, columns;
    const float *y;
    size_t y_stride;
    float *p;
    size_t p_stride;
} fathom_softmax_arguments;

typedef struct fathom_argmax_arguments {
    size_t rows, columns;
    const float *y;
    size_t y_stride;
    int32_t *classes;  // [rows]
} fathom_argmax_arguments;

// The numbers of one step that the optimizer's passes share. The caller fills the settings before the step; FATHOM_CLIP the results.
typedef struct fathom_update {
    // settings
    float learning_rate;
    float clip_norm;      // largest global norm; INFINITY: none
    float clip_value;     // largest absolute value of an element; INFINITY: none
    float momentum;       // sgd, rmsprop
    bool nesterov;        // sgd
    float beta1, beta2, epsilon;           // adam; lion: β₁, β₂; rmsprop: β₂ (its ρ), ε
    float correction1, correction2;        // adam: 1/(1 − β₁ᵗ), 1/√(1 − β₂ᵗ), of the β rounded to float that stand here
    // results
    double gradient_norm;          // before clipping, over all tensors
    double clipped_gradient_norm;  // after it
    float clip_coefficient;        // what every gradient is multiplied by: min(1, clip_norm/gradient_norm)
    bool finite;                   // whether loss and gradient are; the optimizer's passes change nothing where not
} fathom_update;

// sums[p] = Σ g² over panel p, in float64: per 16-row block a chain down each lane, the lanes in a fixed tree, the blocks in order.
// Where clip_value is finite, clipped_sums likewise of the clipped values; else clipped_sums is left alone and may be NULL.
// Where wgrad has summed the blocks, they are only added, and g is not read.
typedef struct fathom_squared_norm_arguments {
    size_t rows, columns;
    const float *g;
    size_t g_stride;
    const double *squares;  // [panels × blocks], as wgrad left them; NULL: none. Of values that are not clipped
    float clip_value;
    double *sums;          // [panels]
    double *clipped_sums;  // [panels]
} fathom_squared_norm_arguments;

// Norms of tensors from the sums of their panels, then the clipping factor of the step. Tensor i owns panels
// ends[i−1] ..< ends[i]. tensor_norms[i] is its norm before clipping.
typedef struct fathom_clip_arguments {
    size_t tensors;
    const size_t *ends;
    const double *sums;
    const double *clipped_sums;
    const double *loss;  // the step's loss, for `finite`
    double *tensor_norms;  // NULL: not wanted
    fathom_update *update;
} fathom_clip_arguments;

// Clipping that is more than one coefficient changes the gradient in place. A factor is rounded to float; where a norm is not above its bound it is 1.

// g ← max(−limit, min(limit, g·factor)), `count` elements (a multiple of 16, flat). NaN stays.
typedef struct fathom_clip_values_arguments {
    size_t count;
    float *g;
    const float *factor;  // NULL: 1
    float limit;          // INFINITY: none
} fathom_clip_values_arguments;

// g ← g·min(1, limit/‖g‖), one tensor of `count` elements (a multiple of 16, flat): its norm from the sums of its panels, added in order.
typedef struct fathom_clip_tensor_arguments {
    size_t count;
    float *g;
    size_t panels;
    const double *sums;  // [panels], as FATHOM_SQUARED_NORM leaves them
    double limit;
} fathom_clip_tensor_arguments;

// Every unit's gradient by its own norm: g_i ← g_i·min(1, t_i/‖g_i‖). A unit is a column, or, where `whole`, all of the tensor. t_i = limit, or, where the
// parameters are given, limit·max(‖w_i‖, floor). Squares are summed in float64, a chain down each column; of a whole tensor the 16 chains go on from
// panel to panel and end in the tree of squared_norm.
typedef struct fathom_clip_units_arguments {
    size_t rows, columns;
    bool whole;
    float *g;
    size_t g_stride;
    const float *w;  // [rows × columns]; NULL: t_i = limit
    size_t w_stride;
    double limit, floor;
} fathom_clip_units_arguments;

// Rows of 16 elements of one tensor, where an optimizer's pass comes to them and where they lie: the order of a pass is what threads divide. The two differ by a multiple of
// FATHOM_CHANGE_ROWS. changes: of each block of FATHOM_CHANGE_ROWS rows of which some are in the segment, Σ p² before and Σ (p after − p before)². From the block's first
// row there on, of 16 rows at a time 16 chains in float32, of p and of 2³²·(p after − p before); these in float64, 16 chains, and the fixed tree. So p above 10¹⁹ and a
// change above 10⁹ count as infinite, p below 10⁻²³ and a change below 10⁻³² as 0.
typedef struct fathom_segment {
    size_t row_begin, row_end;  // of the pass
    size_t first;               // of the arrays
    double *changes;            // [blocks][2]; NULL in all of a pass: not wanted
} fathom_segment;

// One fused pass over `count` elements (a multiple of 16, flat): g ← clip(g·coefficient), decoupled decay, state, parameters.
//   FATHOM_SGD      p −= η·decay·p;  m = μm + g (m NULL where μ = 0);  p −= η·(nesterov ? g + μm : m)
//   FATHOM_ADAM     p −= η·decay·p;  m += (1 − β₁)(g − m);  v = β₂v + (1 − β₂)g²;  p −= η·c₁·m / (√v·c₂ + ε)
//   FATHOM_RMSPROP  p −= η·decay·p;  v = β₂v + (1 − β₂)g²;  d = g / (√v + ε);  m = μm + d (m NULL where μ = 0);  p −= η·(m or d)
//   FATHOM_LION     p −= η·decay·p;  p −= η·sign(β₁m + (1 − β₁)g), sign(0) = 0;  m = β₂m + (1 − β₂)g
// adam: Kingma & Ba 2015, algorithm 1. adamw: Loshchilov & Hutter 2019, algorithm 2. rmsprop: Tieleman & Hinton 2012, in PyTorch's form. lion: Chen et
// al. 2023, algorithm 2. Which operations are fused is fixed by reference/optimizer.c.
typedef struct fathom_optimizer_arguments {
    size_t count;
    float *p;
    const float *g;
    float *m;  // first moment: adam's and lion's mean, the velocity of sgd and rmsprop
    float *v;  // second moment: adam's and rmsprop's mean square
    float decay;
    const fathom_update *update;
    const fathom_segment *segments;  // in the order of the pass; between two up to FATHOM_CHANGE_ROWS − 1 rows, which count and are nothing. NULL: as the elements lie
    bool far;  // gradients and state come from memory, and are asked for ahead
} fathom_optimizer_arguments;

// A minibatch from row-major data into panels: x[r][c] = (source[order[r]][c] − mean[c])·scale[c]; padding lanes zero.
// mean and scale have `columns` rounded up to 16 entries; NULL for both: unchanged. order NULL: rows 0, 1, ….
// Of a sequence, `steps` times that: x[t·rows + r][c] = (source[order[r]][t·columns + c] − mean[t][c])·scale[t][c], mean and scale padded step by step.
typedef struct fathom_gather_arguments {
    size_t rows, columns, steps;
    const void *source;  // uint8_t or float
    size_t source_stride;  // elements between rows
    const uint32_t *order;
    const float *mean;
    const float *scale;
    float *x;
    size_t x_stride;
} fathom_gather_arguments;

// classes[t·rows + r] = source[order[r]·steps + t]; steps is 1 where a row has one class.
typedef struct fathom_gather_classes_arguments {
    size_t rows, steps;
    const int32_t *source;
    const uint32_t *order;
    int32_t *classes;
} fathom_gather_classes_arguments;

// Panels back to row-major: rows[r][c] = m[r][c]·scale[c] + offset[c] (one multiplication, one addition; NULL for both: unchanged).
// Of a sequence, rows[r][t·columns + c] = m[t·rows + r][c]·scale[t][c] + offset[t][c], scale and offset padded step by step.
typedef struct fathom_scatter_arguments {
    size_t rows, columns, steps;
    const float *m;
    size_t m_stride;
    const float *scale;
    const float *offset;
    float *target;
    size_t target_stride;
} fathom_scatter_arguments;

// Philox 4×32-10 (Salmon et al. 2011). Element (r, c) is number i = r·16·panels + c of the stream: word i%4 of the block whose counter
// is (i/4 low, i/4 high, stream low, stream high xor purpose·2^24), key the seed's two halves. Uniform: low + (high − low)·u,
// u = (word >> 8)·2⁻²⁴. Normal: mean + deviation·n, by Box–Muller on words (0, 1) and (2, 3). Padding lanes zero.
typedef struct fathom_random_arguments {
    size_t rows, columns;
    uint64_t seed;
    uint64_t stream;   // below 2^56
    uint8_t purpose;
    float a, b;        // low, high; or mean, deviation
    float *x;
    size_t x_stride;
} fathom_random_arguments;

// Layer normalization of every row (Ba, Kiros & Hinton 2016, equation 4), and RMS normalization (Zhang & Sennrich 2019, equation 4) where `centered`
// is false: z = (x − mean)·rstd·gain + bias (the last two fused), y = φ(z), with rstd = 1/√(mean of (x − mean)² + ε), and mean = 0 for RMS.
// A row is summed in blocks of 64 panels: in float32 each lane a chain over the block's panels, the lanes in a fixed tree; the blocks in float64, in order. The mean
// is the first element plus the mean distance to it; the variance is that of the centred values (a second pass); both, and rstd, are float64 rounded once.
// Padding lanes count nothing, and those of z become zero. Deviations up to 10¹⁸: beyond, their squares leave float32, and rstd becomes 0.
typedef struct fathom_layernorm_forward_arguments {
    size_t rows, columns;
    bool centered;
    float epsilon;
    const float *x;     // [rows × columns]
    size_t x_stride;
    const float *gain;  // [columns], padded with zeros to whole panels; NULL: 1
    const float *bias;  // likewise; NULL: 0
    fathom_activation activation;
    float parameter;
    float *mean;        // [rows]; NULL where not centered
    float *rstd;        // [rows]
    float *slope;       // [rows × columns] φ′(z), of an activation that saves it; NULL: not kept
    size_t slope_stride;
    float *y;           // [rows × columns]; may be x
    size_t y_stride;
} fathom_layernorm_forward_arguments;

// dx = rstd·(d − mean(d) − x̂·mean(d·x̂)) ⊙ φ′(saved), with d = dy·gain, x̂ = (x − mean)·rstd, dy the gradient before the activation fused into y, and φ
// that which made x; without mean(d) where not centered. Sums as in the forward pass: of d, and of d·(x − mean) (fused). dx may be dy. Padding lanes of dx become
// zero.
typedef struct fathom_layernorm_backward_arguments {
    size_t rows, columns;
    bool centered;
    const float *x;
    size_t x_stride;
    const float *gain;         // NULL: 1
    const float *mean, *rstd;  // [rows]; mean NULL where not centered
    const float *dy;
    size_t dy_stride;
    fathom_activation activation;
    float parameter;
    const float *saved;  // [rows × columns]; NULL for identity
    size_t saved_stride;
    float *dx;
    size_t dx_stride;
    fathom_signal_blocks blocks;  // of the signal, and of the gradient before ⊙ φ′
} fathom_layernorm_backward_arguments;

// dgain = Σ_r dy·x̂ (fused) and dbias = Σ_r dy: chains over r = 0 … rows−1, from zero or from the stored values. Padding lanes become zero.
typedef struct fathom_layernorm_gradient_arguments {
    size_t rows, columns;
    const float *x;
    size_t x_stride;
    const float *mean, *rstd;  // mean NULL where not centered
    const float *dy;
    size_t dy_stride;
    bool accumulate;
    float *dgain;  // [columns], padded to whole panels; NULL: not wanted
    float *dbias;  // likewise
} fathom_layernorm_gradient_arguments;

// Batch normalization (Ioffe & Szegedy 2015, algorithm 1): z = (x − mean)·(rstd·gain) + bias (fused), y = φ(z), with the mean and the biased variance of each
// column over the rows, rstd = 1/√(variance + ε). A column is summed in blocks of 16 rows: in float32 a chain over the block's rows; the blocks in float64, in order.
// The mean is the first element plus the mean distance to it; the variance is that of the centred values (a second pass); all three are float64 rounded once.
// Padding lanes of z become zero. Of no rows there are no statistics: nothing is written. Deviations up to 10¹⁸: beyond, rstd becomes 0.
typedef struct fathom_batchnorm_forward_arguments {
    size_t rows, columns;
    float epsilon;
    const float *x;
    size_t x_stride;
    const float *gain, *bias;  // [columns], padded to whole panels; NULL: 1, 0
    fathom_activation activation;
    float parameter;
    float *mean, *variance, *rstd;  // [columns], padded with zeros to whole panels; variance is the unbiased one, ·rows/(rows − 1) (the biased one of one row)
    float *slope;                   // φ′(z), of an activation that saves it; NULL: not kept
    size_t slope_stride;
    float *y;                       // may be x
    size_t y_stride;
    double *x_moments;  // [panels][3], what FATHOM_MOMENTS tells of x, before y is written; NULL: not wanted
} fathom_batchnorm_forward_arguments;

// y = φ((x − mean)·(gain/√(variance + ε)) + bias), the statistics given; the operations of the forward pass.
typedef struct fathom_batchnorm_inference_arguments {
    size_t rows, columns;
    float epsilon;
    const float *x;
    size_t x_stride;
    const float *gain, *bias;       // NULL: 1, 0
    const float *mean, *variance;   // [columns], padded with zeros to whole panels
    fathom_activation activation;
    float parameter;
    float *y;
    size_t y_stride;
} fathom_batchnorm_inference_arguments;

// dx = rstd·gain·(dy − mean(dy) − x̂·mean(dy·x̂)) ⊙ φ′(saved), means over the rows; dgain = Σ dy·x̂, dbias = Σ dy, added to the stored values where
// `accumulate`. Sums as in the forward pass: of dy, and of dy·(x − mean) (fused). dx may be dy, and is NULL where only the parameters' gradients are wanted.
// Padding lanes of all three become zero.
typedef struct fathom_batchnorm_backward_arguments {
    size_t rows, columns;
    const float *x;
    size_t x_stride;
    const float *gain;             // NULL: 1
    const float *mean, *rstd;      // [columns], as the forward pass wrote them
    const float *dy;
    size_t dy_stride;
    fathom_activation activation;  // that made x
    float parameter;
    const float *saved;            // [rows × columns]; NULL for identity
    size_t saved_stride;
    bool accumulate;
    float *dgain, *dbias;          // NULL: not wanted
    float *dx;
    size_t dx_stride;
    fathom_signal_blocks blocks;  // of the signal, and of the gradient before ⊙ φ′
} fathom_batchnorm_backward_arguments;

// Where a batch stands among all of them: what draws that differ from step to step are keyed by.
typedef struct fathom_batch {
    uint64_t step;       // from 1
    uint64_t first_row;  // of a micro-batch within its batch
} fathom_batch;

// Inverted dropout (Srivastava et al. 2014): y = x·scale where the element is kept, else +0 (also where x is not finite), with scale = 1/(1 − rate).
// It is kept where its word of Philox (see fathom_random_arguments), number i of the stream layer·2^32 + batch->step mod 2^32, is at least
// `threshold` = rate·2^32. Element (t·rows/steps + r, c) has i = ((batch->first_row + r)·steps + t)·16·panels + c: sample by sample, so that micro-batches
// have the masks of the whole batch. Bit c%16 of mask[c/16·rows + row] tells it to the backward pass. In padding lanes the bit is 0 and y is zero.
typedef struct fathom_dropout_arguments {
    size_t rows, columns, steps;  // rows: of all steps together
    uint64_t seed;
    uint32_t layer;      // below 2^24
    uint8_t purpose;
    uint32_t threshold;
    float scale;
    const fathom_batch *batch;
    uint16_t *mask;      // [panels][rows]
    const float *x;      // forward: x → y; backward: dy → dx, by the mask alone. y may be x
    size_t x_stride;
    float *y;
    size_t y_stride;
} fathom_dropout_arguments;

// y = a + s·b (one multiplication, one addition); a NULL: y = s·b. s = scale, times *factor where that is not NULL. y may be a or b. Padding lanes
// of y become zero.
typedef struct fathom_add_arguments {
    size_t rows, columns;
    const float *a;
    size_t a_stride;
    const float *b;
    size_t b_stride;
    float scale;
    const float *factor;
    float *y;
    size_t y_stride;
} fathom_add_arguments;

// sums[p] = Σ a·b over panel p in float64, blocks and tree as in squared_norm. Padding lanes count nothing.
typedef struct fathom_dot_arguments {
    size_t rows, columns;
    const float *a;
    size_t a_stride;
    const float *b;
    size_t b_stride;
    double *sums;  // [panels]
} fathom_dot_arguments;

// *total = (Σ sums)·scale, added to the stored value where `accumulate`: the sum in order, and all of it in float64, rounded once.
typedef struct fathom_dot_total_arguments {
    size_t panels;
    const double *sums;
    float scale;
    bool accumulate;
    float *total;
} fathom_dot_total_arguments;

// y = value, padding lanes zero.
typedef struct fathom_fill_arguments {
    size_t rows, columns;
    float value;
    float *y;
    size_t y_stride;
} fathom_fill_arguments;

// Sequences: a matrix of `steps`·rows rows, step t of which are rows t·rows ..< (t + 1)·rows.
//   FATHOM_STEP_MEAN    y[r] = (Σ_t x[t·rows + r])·(1/steps), a chain over t from zero
//   FATHOM_STEP_SPREAD  x[t·rows + r] = y[r]·scale for every t, or, where `last`, y[r] at the last step and zero before it
// Padding lanes of what is written become zero.
typedef struct fathom_steps_arguments {
    size_t rows, columns, steps;
    float *x;  // [steps·rows × columns]
    size_t x_stride;
    float *y;  // [rows × columns]
    size_t y_stride;
    float scale;
    bool last;
} fathom_steps_arguments;

// One step of a long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; PyTorch's order of gates). Gates i, f, g, o are
// matrices of `columns` columns, each starting on a panel: gate k begins k·panels panels after `gates`.
//   forward:  i, f, o = σ(.), g = tanh(.) in place; c = f·c_before + i·g (one multiplication, one fused); h = o·tanh(c)
//   backward: from dh and dc (the carry from the step after) to dgates, the gradients before the gates' functions, and to dc for the step before:
//             d = dc + dh·o·(1 − tanh²c); do = dh·tanh c·o(1 − o); di = d·g·i(1 − i); df = d·c_before·f(1 − f); dg = d·i·(1 − g²); dc ← d·f
// Products are taken from left to right; d's last one is fused with its sum. Padding lanes of c, h, dgates and dc become zero; those of gates become σ and tanh
// of what they hold.
typedef struct fathom_lstm_arguments {
    size_t rows, columns;
    float *gates;          // [rows × 4 gates]: before the functions, after the forward pass their values
    size_t gates_stride;
    const float *c_before; // NULL at the first step: zero
    size_t c_before_stride;
    float *c;              // may be c_before where no backward pass follows
    size_t c_stride;
    float *h;
    size_t h_stride;
    const float *dh;       // backward
    size_t dh_stride;
    float *dc;             // backward: in and out; read as zero where `last`
    size_t dc_stride;
    bool last;             // of the steps that the gradient flows through: there is no carry yet
    float *dgates;         // backward: may be gates
    size_t dgates_stride;
} fathom_lstm_arguments;

// One step of a gated recurrent unit (Cho et al. 2014, in PyTorch's form). Four slots of `columns` columns, each starting on a panel: r, z, the hidden part
// m = h_before·W_hn + b_hn of the candidate, and its input part x·W_in + b_in.
//   forward:  r, z = σ(.) in place; n = tanh(slot 3 + r·m), in place of slot 3; h = n + z·(h_before − n)
//   backward: dz = dh·(h_before − n)·z(1 − z); dn = dh·(1 − z)·(1 − n²) (slot 3); dm = dn·r (slot 2); dr = dn·m·r(1 − r); dh_before += dh·z
// Products are taken from left to right; slot 3 + r·m, h and dh_before are fused. Padding lanes of h, dslots and dh_before become zero; those of slots become the
// functions of what they hold.
typedef struct fathom_gru_arguments {
    size_t rows, columns;
    float *slots;           // [rows × 4 slots]
    size_t slots_stride;
    const float *h_before;  // NULL at the first step: zero
    size_t h_before_stride;
    float *h;               // may be h_before where no backward pass follows
    size_t h_stride;
    const float *dh;        // backward
    size_t dh_stride;
    float *dh_before;       // backward: added to; NULL at the first step
    size_t dh_before_stride;
    float *dslots;          // backward: may be slots
    size_t dslots_stride;
} fathom_gru_arguments;

// average += rate·(value − average) (fused), `count` elements (a multiple of 16, flat): a moving average of weights, or of a normalization's statistics. Nothing
// changes where the step was not finite.
typedef struct fathom_moving_average_arguments {
    size_t count;
    float *average;
    const float *value;
    float rate;
    const fathom_update *update;
} fathom_moving_average_arguments;

// sums[p] = {Σ y, Σ y², how many are infinite or NaN} over panel p in float64. Of d, the distance to the lane's first row: Σ d and Σ d² of 16 rows in float32, a
// chain down each lane; the blocks of a lane in float64, in order; the sums of y from these, and the lanes in the fixed tree. Where Σ d² is below FATHOM_LEAST_SQUARES
// or not finite, from y itself instead, in float64 a chain down each lane over all rows. Padding lanes count nothing.
typedef struct fathom_moments_arguments {
    size_t rows, columns;
    const float *y;
    size_t y_stride;
    double *sums;  // [panels][3]
} fathom_moments_arguments;

// What instruments tell of one signal, over all its blocks and panels.
typedef struct fathom_signal_statistics {
    double sum, squares;  // of h
    double gradient_squares, slope_squares;
    uint64_t saturated, subnormal, nonfinite, dead;  // nonfinite: of h and of its gradient; dead: columns with φ′ = 0 in every row
} fathom_signal_statistics;

// *total = the sums of the moments' panels and of the blocks, in order; added to the stored ones where `accumulate`. A column is dead where it is in all that
// was added.
typedef struct fathom_signal_source {
    size_t panels, columns;
    const double *moments;        // [panels][3]; NULL: none beside the blocks'
    fathom_signal_blocks blocks;  // all `stride` blocks of a panel; where there are none, nothing is dead
    bool accumulate;
    uint32_t *alive;              // [panels], what is added to; only touched where there are blocks
    fathom_signal_statistics *total;
} fathom_signal_source;

typedef struct fathom_signal_total_arguments {
    size_t signals;
    const fathom_signal_source *sources;
} fathom_signal_total_arguments;

// total = {Σ p², Σ Δp²} of some blocks that the optimizer's passes have left, in order.
typedef struct fathom_change_source {
    size_t blocks;
    const double *changes;  // [blocks][2]
    double *total;          // [2]
} fathom_change_source;

typedef struct fathom_change_total_arguments {
    size_t tensors;
    const fathom_change_source *sources;
} fathom_change_total_arguments;

// counts[p][e], e = 0 ... 255: how many elements of panel p have the biased exponent e, padding lanes none: e = 255 is not finite, 1 ... 254 are 2^(e − 127); 0 is
// subnormal. counts[p][256]: zeros, which are not in counts[p][0]. Added to the stored counts where `accumulate`.
typedef struct fathom_exponents_arguments {
    size_t rows, columns;
    const float *m;
    size_t m_stride;
    bool accumulate;
    uint32_t *counts;  // [panels][FATHOM_EXPONENT_BINS]
} fathom_exponents_arguments;

// A sum of squares in float32 below this may have lost more than roundings to underflow: of 256 elements each at most 2⁻¹⁵⁰.
#define FATHOM_LEAST_SQUARES 0x1p-100f

enum { FATHOM_EXPONENT_BINS = 257, FATHOM_CHANGE_ROWS = 64, FATHOM_CHANGE_CHAIN = 16 };

typedef union fathom_arguments {
    fathom_gemm_forward_arguments gemm_forward;
    fathom_gemm_dgrad_arguments gemm_dgrad;
    fathom_gemm_wgrad_arguments gemm_wgrad;
    fathom_transpose_arguments transpose;
    fathom_bias_gradient_arguments bias_gradient;
    fathom_activation_forward_arguments activation_forward;
    fathom_activation_backward_arguments activation_backward;
    fathom_loss_arguments loss;
    fathom_loss_mean_arguments loss_mean;
    fathom_softmax_arguments softmax;
    fathom_argmax_arguments argmax;
    fathom_squared_norm_arguments squared_norm;
    fathom_clip_arguments clip;
    fathom_clip_values_arguments clip_values;
    fathom_clip_tensor_arguments clip_tensor;
    fathom_clip_units_arguments clip_units;
    fathom_optimizer_arguments optimizer;
    fathom_gather_arguments gather;
    fathom_gather_classes_arguments gather_classes;
    fathom_scatter_arguments scatter;
    fathom_random_arguments random;
    fathom_layernorm_forward_arguments layernorm_forward;
    fathom_layernorm_backward_arguments layernorm_backward;
    fathom_layernorm_gradient_arguments layernorm_gradient;
    fathom_batchnorm_forward_arguments batchnorm_forward;
    fathom_batchnorm_inference_arguments batchnorm_inference;
    fathom_batchnorm_backward_arguments batchnorm_backward;
    fathom_dropout_arguments dropout;
    fathom_add_arguments add;
    fathom_dot_arguments dot;
    fathom_dot_total_arguments dot_total;
    fathom_fill_arguments fill;
    fathom_steps_arguments steps;
    fathom_lstm_arguments lstm;
    fathom_gru_arguments gru;
    fathom_moving_average_arguments moving_average;
    fathom_moments_arguments moments;
    fathom_signal_total_arguments signal_total;
    fathom_change_total_arguments change_total;
    fathom_exponents_arguments exponents;
} fathom_arguments;

typedef struct fathom_call {
    fathom_operation operation;
    // No barrier after this call: a thread that has done its share goes on. A call that overlaps, those that follow it up to the first that does not, and
    // that one too, must not read or write what another of them writes.
    bool overlaps;
    // Of what other calls of its chain write, this call needs for a row of its own result that row alone. A chain: consecutive calls that say so, of equally many
    // rows. Where there are enough of them, each thread has its rows of all these calls, and no barrier is between them. Not beside `overlaps`.
    bool by_rows;
    uint32_t tag;  // the caller's own; nothing here reads it
    fathom_arguments arguments;
} fathom_call;

// Runs the calls in order on up to `threads` threads (1: on the caller's, without OpenMP). Same bits for every `threads`.
void fathom_run(const fathom_call *calls, size_t count, int threads);

// The same, with the time: times[0] before the first call, times[i + 1] when thread 0 goes on from call i: behind the barrier that ends it on all
// threads, or, where it overlaps or its chain goes on, when thread 0 has done its share (what it takes over from others counts for the group's last call);
// times[count] when all have ended. Nanoseconds of the monotonic clock, read once a call: some 25 ns each.
void fathom_run_timed(const fathom_call *calls, size_t count, int threads, uint64_t *times);

// How many of up to `threads` threads the calls pay for, as fathom_run finds out each time: as many as the largest of them, or a chain's together, and one where
// all are too little to start a team for. Of many small calls it looks at all; who runs a list again and again asks once, and runs it on no more.
int fathom_list_worth(const fathom_call *calls, size_t count, int threads);

// Calls body(context) once on each of up to `threads` threads, the caller's among them, and returns when all have ended: what is no kernel, on the team that kernels run
// on, so that no more threads than it has want a processor. Kernels that body runs take one thread.
void fathom_together(int threads, void (*body)(void *context), void *context);

// Processors this process may use, as OpenMP counts them (OMP_NUM_THREADS included).
int fathom_threads_available(void);

// Half-open ranges of rows and of panels of an operation's grid (see fathom_grid): the share of one thread.
typedef struct fathom_range {
    size_t row_begin, row_end, panel_begin, panel_end;
} fathom_range;

// What an operation's work is divided over: `rows` in steps of `row_step`, and `panels`. `flops` and `bytes` are its work.
typedef struct fathom_grid {
    size_t rows, row_step, panels;
    double flops, bytes;
} fathom_grid;

fathom_grid fathom_grid_of(const fathom_call *call);

// A kernel: one operation on one range of its grid, serial.
typedef void fathom_kernel(const fathom_arguments *arguments, fathom_range range);

// The kernels of one instruction set. No slot is ever empty: what a set does not tune, the plain-C reference does.
typedef struct fathom_kernel_table {
    const char *isa;  // "reference", "baseline", "avx2", "avx512", "neon"
    int lanes;        // floats in a vector
    fathom_kernel *kernels[FATHOM_OPERATIONS];
} fathom_kernel_table;

// The table in use: the best the processor has, or the one FATHOM_ISA names. Chosen once, at first use.
const fathom_kernel_table *fathom_kernels(void);

// The table of a set by name, NULL where the processor or the build lacks it. For checking and timing.
const fathom_kernel_table *fathom_kernels_named(const char *isa);

// Names of all sets this processor can run, plainest first; the i-th or NULL.
const char *fathom_isa_name(size_t i);

// False where FATHOM_ISA names a set that does not exist or cannot run here; fathom_kernels() then gives the best one.
bool fathom_isa_override_is_valid(void);

const char *fathom_operation_name(fathom_operation operation);
const char *fathom_activation_name(fathom_activation activation);

// Q of the QR decomposition of a tall or wide matrix of normal deviates, in place, times gain: rows orthonormal where rows ≤ columns, columns
// otherwise; the signs such that Q is Haar-distributed (Mezzadri 2007). float64 inside; workspace of fathom_orthogonalize_workspace bytes, 64-byte aligned.
size_t fathom_orthogonalize_workspace(size_t rows, size_t columns);
void fathom_orthogonalize(float *m, size_t stride, size_t rows, size_t columns, float gain, void *workspace);

// order[0 ..< count] becomes a permutation of 0 ..< count, every one equally likely: Fisher–Yates on Philox, keyed by seed and stream. Its
// purpose is the stream's top byte. count < 2^32.
void fathom_shuffle(uint32_t *order, size_t count, uint64_t seed, uint64_t stream);

// cos(π·x) in float64 by our own polynomial, for schedules; |x| ≤ 2^52. Within 2 ulp, and exact where 2x is whole.
double fathom_cos_pi(double x);
// x^n by squaring in float64, n ≥ 0, for bias corrections.
double fathom_power(double x, uint64_t n);

#endif
