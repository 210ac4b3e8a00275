// Which kernels run here: the processor is asked once, FATHOM_ISA may choose a lesser set, and the choice never changes.
#include "table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct instruction_set {
    const char *name;
    int lanes;
    fathom_kernel *const *tuned;
    bool (*available)(void);
} instruction_set;

static bool always(void) { return true; }
#if FATHOM_X86
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#ifdef FATHOM_SPLIT_AVX512  // compiled for AVX2, to check its logic anywhere
static bool has_avx512(void) { return has_avx2(); }
#else
static bool has_avx512(void) { return has_avx2() && __builtin_cpu_supports("avx512f"); }
#endif
#endif

// Plainest first: the last one available is the best.
static const instruction_set sets[] = {
    {"reference", 1, fathom_reference_kernels, always},
    {"baseline", 4, fathom_baseline_kernels, always},
#if FATHOM_X86
    {"avx2", 8, fathom_avx2_kernels, has_avx2},
    {"avx512", 16, fathom_avx512_kernels, has_avx512},
#elif FATHOM_ARM
    {"neon", 4, fathom_neon_kernels, always},
#endif
};
enum { SETS = sizeof sets / sizeof *sets };

static fathom_kernel_table tables[SETS];
static size_t available[SETS], available_count, chosen;
static bool override_is_valid = true;

static void fill(void) {
#if FATHOM_X86
    __builtin_cpu_init();
#endif
    for (size_t s = 0; s < SETS; s++) {
        if (!sets[s].available()) continue;
        available[available_count++] = s;
        tables[s] = (fathom_kernel_table){.isa = sets[s].name, .lanes = sets[s].lanes};
        for (int k = 0; k < FATHOM_OPERATIONS; k++)
            tables[s].kernels[k] = sets[s].tuned[k] ? sets[s].tuned[k] : fathom_reference_kernels[k];
    }
    chosen = available[available_count - 1];
    const char *wanted = getenv("FATHOM_ISA");
    if (!wanted || !*wanted) return;
    override_is_valid = false;
    for (size_t i = 0; i < available_count; i++)
        if (strcmp(sets[available[i]].name, wanted) == 0) {
            chosen = available[i];
            override_is_valid = true;
        }
}

// Filled by the first caller; the others of that moment wait. 0: not yet, 1: being filled, 2: published.
static void once(void) {
    static atomic_int state;
    int expected = 0;
    if (atomic_load_explicit(&state, memory_order_acquire) == 2) return;
    if (atomic_compare_exchange_strong(&state, &expected, 1)) {
        fill();
        atomic_store_explicit(&state, 2, memory_order_release);
    }
    while (atomic_load_explicit(&state, memory_order_acquire) != 2) {}
}

const fathom_kernel_table *fathom_kernels(void) {
    once();
    return &tables[chosen];
}

const fathom_kernel_table *fathom_kernels_named(const char *isa) {
    once();
    for (size_t i = 0; i < available_count; i++)
        if (strcmp(sets[available[i]].name, isa) == 0) return &tables[available[i]];
    return NULL;
}

const char *fathom_isa_name(size_t i) {
    once();
    return i < available_count ? sets[available[i]].name : NULL;
}

bool fathom_isa_override_is_valid(void) {
    once();
    return override_is_valid;
}

const char *fathom_operation_name(fathom_operation operation) {
    static const char *const names[FATHOM_OPERATIONS] = {
        [FATHOM_GEMM_FORWARD] = "gemm_forward",
        [FATHOM_GEMM_DGRAD] = "gemm_dgrad",
        [FATHOM_GEMM_WGRAD] = "gemm_wgrad",
        [FATHOM_TRANSPOSE] = "transpose",
        [FATHOM_BIAS_GRADIENT] = "bias_gradient",
        [FATHOM_ACTIVATION_FORWARD] = "activation_forward",
        [FATHOM_ACTIVATION_BACKWARD] = "activation_backward",
        [FATHOM_SOFTMAX_CROSS_ENTROPY] = "softmax_cross_entropy",
        [FATHOM_MEAN_SQUARED_ERROR] = "mean_squared_error",
        [FATHOM_MEAN_ABSOLUTE_ERROR] = "mean_absolute_error",
        [FATHOM_BINARY_CROSS_ENTROPY] = "binary_cross_entropy",
        [FATHOM_HUBER] = "huber",
        [FATHOM_LOSS_MEAN] = "loss_mean",
        [FATHOM_SOFTMAX] = "softmax",
        [FATHOM_ARGMAX] = "argmax",
        [FATHOM_SQUARED_NORM] = "squared_norm",
        [FATHOM_CLIP] = "clip",
        [FATHOM_CLIP_VALUES] = "clip_values",
        [FATHOM_CLIP_TENSOR] = "clip_tensor",
        [FATHOM_CLIP_UNITS] = "clip_units",
        [FATHOM_SGD] = "sgd",
        [FATHOM_ADAM] = "adam",
        [FATHOM_RMSPROP] = "rmsprop",
        [FATHOM_LION] = "lion",
        [FATHOM_GATHER_BYTES] = "gather_bytes",
        [FATHOM_GATHER_FLOATS] = "gather_floats",
        [FATHOM_GATHER_CLASSES] = "gather_classes",
        [FATHOM_SCATTER] = "scatter",
        [FATHOM_RANDOM_UNIFORM] = "random_uniform",
        [FATHOM_RANDOM_NORMAL] = "random_normal",
        [FATHOM_LAYERNORM_FORWARD] = "layernorm_forward",
        [FATHOM_LAYERNORM_BACKWARD] = "layernorm_backward",
        [FATHOM_LAYERNORM_GRADIENT] = "layernorm_gradient",
        [FATHOM_BATCHNORM_FORWARD] = "batchnorm_forward",
        [FATHOM_BATCHNORM_INFERENCE] = "batchnorm_inference",
        [FATHOM_BATCHNORM_BACKWARD] = "batchnorm_backward",
        [FATHOM_DROPOUT_FORWARD] = "dropout_forward",
        [FATHOM_DROPOUT_BACKWARD] = "dropout_backward",
        [FATHOM_ADD] = "add",
        [FATHOM_DOT] = "dot",
        [FATHOM_DOT_TOTAL] = "dot_total",
        [FATHOM_FILL] = "fill",
        [FATHOM_STEP_MEAN] = "step_mean",
        [FATHOM_STEP_SPREAD] = "step_spread",
        [FATHOM_LSTM_FORWARD] = "lstm_forward",
        [FATHOM_LSTM_BACKWARD] = "lstm_backward",
        [FATHOM_GRU_FORWARD] = "gru_forward",
        [FATHOM_GRU_BACKWARD] = "gru_backward",
        [FATHOM_MOVING_AVERAGE] = "moving_average",
        [FATHOM_MOMENTS] = "moments",
        [FATHOM_SIGNAL_TOTAL] = "signal_total",
        [FATHOM_CHANGE_TOTAL] = "change_total",
        [FATHOM_EXPONENTS] = "exponents",
    };
    return names[operation];
}

const char *fathom_activation_name(fathom_activation activation) {
    static const char *const names[FATHOM_ACTIVATIONS] = {
        [FATHOM_IDENTITY] = "identity", [FATHOM_RELU] = "relu", [FATHOM_LEAKY_RELU] = "leakyrelu", [FATHOM_ELU] = "elu",
        [FATHOM_SELU] = "selu", [FATHOM_GELU] = "gelu", [FATHOM_GELU_TANH] = "gelu(tanh)", [FATHOM_SILU] = "silu",
        [FATHOM_TANH] = "tanh", [FATHOM_SIGMOID] = "sigmoid", [FATHOM_SOFTPLUS] = "softplus", [FATHOM_HARD_TANH] = "hardtanh",
    };
    return names[activation];
}

bool fathom_activation_saves_slope(fathom_activation activation) {
    return activation == FATHOM_GELU || activation == FATHOM_GELU_TANH || activation == FATHOM_SILU;
}
