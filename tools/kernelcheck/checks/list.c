// The list of operations: how each one's cases are planned, made and verified, how many there are, and the shape that is timed.
#include "harness.h"

// Borders of register tiles, panels and row blocks, and their neighbours.
static const uint16_t edges[] = {1,  2,  5,  6,  7,  8,  9,  11, 12, 13, 15, 16, 17, 18, 23, 24, 25, 31, 32,  33,  41,  47, 48,
                                 49, 63, 64, 65, 71, 72, 73, 79, 80, 81, 95, 96, 97, 99, 111, 112, 113, 127, 128, 129, 130};
// Borders of the blocks of a long sum.
static const uint16_t depths[] = {144, 191, 192, 193, 255, 256, 257, 272, 300, 383, 384, 385, 511, 512, 513, 520, 767, 768, 769};
enum { EDGES = sizeof edges / sizeof *edges, DEPTHS = sizeof depths / sizeof *depths };

// All of 0 … 40 in each dimension.
enum { SMALL = 41, SMALL_MATRICES = SMALL * SMALL, SMALL_PRODUCTS = SMALL * SMALL * SMALL };

static void plan_values(plan *p, generator *g) {
    static const values often[] = {VALUES_ORDINARY, VALUES_ORDINARY, VALUES_ORDINARY, VALUES_ORDINARY,
                                   VALUES_TINY,     VALUES_INTEGERS, VALUES_WIDE,     VALUES_SPECIAL};
    p->values = often[draw_below(g, 8)];
    p->options = (uint32_t)(draw(g) >> 32);
    p->strided = draw_one_in(g, 2);
}

static size_t edge(generator *g) { return edges[draw_below(g, EDGES)]; }

static void plan_product(plan *p, generator *g, size_t index) {
    plan_values(p, g);
    // the reference's activations are slow, so only each third product has one
    p->activation = draw_one_in(g, 3) ? (fathom_activation)draw_below(g, FATHOM_ACTIVATIONS) : FATHOM_IDENTITY;
    if (index < SMALL_PRODUCTS) {
        p->rows = index / SMALL_MATRICES;
        p->inputs = index / SMALL % SMALL;
        p->outputs = index % SMALL;
        return;
    }
    p->rows = edge(g);
    p->inputs = edge(g);
    p->outputs = edge(g);
    switch (draw_below(g, 5)) {
    case 0: p->rows = depths[draw_below(g, DEPTHS)]; break;
    case 1: p->inputs = depths[draw_below(g, DEPTHS)]; break;
    case 2: p->outputs = depths[draw_below(g, DEPTHS)]; break;
    case 3:  // few rows, of a matrix that is not small
        p->rows = 1 + draw_below(g, 8);
        p->inputs = 63 + edge(g);
        p->outputs = 63 + edge(g);
        break;
    }
}

// Rounds over all small matrices, each size with another activation in every round; each fourth round is of edges instead.
static void plan_matrix(plan *p, generator *g, size_t index) {
    size_t cell = index % SMALL_MATRICES, round = index / SMALL_MATRICES;
    plan_values(p, g);
    p->inputs = 0;
    p->rows = cell / SMALL;
    p->outputs = cell % SMALL;
    p->activation = (fathom_activation)((cell + round - round / 4) % FATHOM_ACTIVATIONS);
    if (round % 4 < 3) return;
    p->rows = edge(g);
    p->outputs = edge(g);
    if (draw_one_in(g, 8)) p->rows = depths[draw_below(g, DEPTHS)];
    if (draw_one_in(g, 8)) p->outputs = depths[draw_below(g, DEPTHS)];
}

// The same, and now and then rows longer than one block of their sum.
static void plan_long_rows(plan *p, generator *g, size_t index) {
    static const uint16_t lengths[] = {1008, 1023, 1024, 1025, 1040, 1041, 2047, 2048, 2049, 2080, 2100};
    plan_matrix(p, g, index);
    if (index / SMALL_MATRICES % 4 < 3 || !draw_one_in(g, 8)) return;
    p->rows %= 24;
    p->outputs = lengths[draw_below(g, sizeof lengths / sizeof *lengths)];
}

enum { QUICK_PRODUCTS = SMALL_PRODUCTS + 300, FULL_PRODUCTS = SMALL_PRODUCTS + 6000 };
// 16 rounds cross all small sizes with all twelve activations.
enum { QUICK = 4 * SMALL_MATRICES, QUICK_ACTIVATIONS = 8 * SMALL_MATRICES, FULL = 24 * SMALL_MATRICES };

const kernel_check_entry kernel_check_list[FATHOM_OPERATIONS] = {
    // operation                    plan          make                 verify           quick           full           timed shape
    [FATHOM_GEMM_FORWARD]        = {plan_product, make_forward,        verify_forward,  QUICK_PRODUCTS, FULL_PRODUCTS, 128, 512, 512},
    [FATHOM_GEMM_DGRAD]          = {plan_product, make_dgrad,          verify_dgrad,    QUICK_PRODUCTS, FULL_PRODUCTS, 128, 512, 512},
    [FATHOM_GEMM_WGRAD]          = {plan_product, make_wgrad,          verify_wgrad,    QUICK_PRODUCTS, FULL_PRODUCTS, 128, 512, 512},
    [FATHOM_TRANSPOSE]           = {plan_matrix,  make_transpose,      verify_transpose, QUICK,         FULL,          512, 0, 512},
    [FATHOM_BIAS_GRADIENT]       = {plan_matrix,  make_bias_gradient,  NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_ACTIVATION_FORWARD]  = {plan_matrix,  make_activation_forward,  NULL,       QUICK_ACTIVATIONS, FULL,       128, 0, 512},
    [FATHOM_ACTIVATION_BACKWARD] = {plan_matrix,  make_activation_backward, NULL,       QUICK_ACTIVATIONS, FULL,       128, 0, 512},
    [FATHOM_SOFTMAX_CROSS_ENTROPY] = {plan_matrix, make_loss,          NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_MEAN_SQUARED_ERROR]  = {plan_matrix,  make_loss,           NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_MEAN_ABSOLUTE_ERROR] = {plan_matrix,  make_loss,           NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_BINARY_CROSS_ENTROPY] = {plan_matrix, make_loss,           NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_HUBER]               = {plan_matrix,  make_loss,           NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_LOSS_MEAN]           = {plan_matrix,  make_loss_mean,      NULL,            QUICK,          FULL,          128, 0, 1},
    [FATHOM_SOFTMAX]             = {plan_matrix,  make_softmax,        NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_ARGMAX]              = {plan_matrix,  make_argmax,         NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_SQUARED_NORM]        = {plan_matrix,  make_squared_norm,   NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_CLIP]                = {plan_matrix,  make_clip,           NULL,            QUICK,          FULL,          16, 0, 16},
    [FATHOM_CLIP_VALUES]         = {plan_matrix,  make_clip_values,    NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_CLIP_TENSOR]         = {plan_matrix,  make_clip_tensor,    NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_CLIP_UNITS]          = {plan_matrix,  make_clip_units,     NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_SGD]                 = {plan_matrix,  make_optimizer,      NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_ADAM]                = {plan_matrix,  make_optimizer,      NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_RMSPROP]             = {plan_matrix,  make_optimizer,      NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_LION]                = {plan_matrix,  make_optimizer,      NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_GATHER_BYTES]        = {plan_matrix,  make_gather,         NULL,            QUICK,          FULL,          128, 0, 784},
    [FATHOM_GATHER_FLOATS]       = {plan_matrix,  make_gather,         NULL,            QUICK,          FULL,          128, 0, 784},
    [FATHOM_GATHER_CLASSES]      = {plan_matrix,  make_gather_classes, NULL,            QUICK,          FULL,          128, 0, 1},
    [FATHOM_SCATTER]             = {plan_matrix,  make_scatter,        verify_scatter,  QUICK,          FULL,          128, 0, 512},
    [FATHOM_RANDOM_UNIFORM]      = {plan_matrix,  make_random,         NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_RANDOM_NORMAL]       = {plan_matrix,  make_random,         NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_DROPOUT_FORWARD]     = {plan_matrix,  make_dropout,        NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_DROPOUT_BACKWARD]    = {plan_matrix,  make_dropout,        NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_ADD]                 = {plan_matrix,  make_add,            NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_DOT]                 = {plan_matrix,  make_dot,            NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_DOT_TOTAL]           = {plan_matrix,  make_dot_total,      NULL,            QUICK,          FULL,          32, 0, 1},
    [FATHOM_FILL]                = {plan_matrix,  make_fill,           NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_STEP_MEAN]           = {plan_matrix,  make_steps,          NULL,            QUICK,          FULL,          128, 0, 128},
    [FATHOM_STEP_SPREAD]         = {plan_matrix,  make_steps,          NULL,            QUICK,          FULL,          128, 0, 128},
    [FATHOM_LSTM_FORWARD]        = {plan_matrix,  make_lstm,           NULL,            QUICK,          FULL,          128, 0, 128},
    [FATHOM_LSTM_BACKWARD]       = {plan_matrix,  make_lstm,           verify_lstm,     QUICK,          FULL,          128, 0, 128},
    [FATHOM_GRU_FORWARD]         = {plan_matrix,  make_gru,            NULL,            QUICK,          FULL,          128, 0, 128},
    [FATHOM_GRU_BACKWARD]        = {plan_matrix,  make_gru,            verify_gru,      QUICK,          FULL,          128, 0, 128},
    [FATHOM_LAYERNORM_FORWARD]   = {plan_long_rows, make_layernorm_forward, NULL,       QUICK,          FULL,          128, 0, 512},
    [FATHOM_LAYERNORM_BACKWARD]  = {plan_long_rows, make_layernorm_backward, NULL,      QUICK,          FULL,          128, 0, 512},
    [FATHOM_LAYERNORM_GRADIENT]  = {plan_matrix,  make_layernorm_gradient, NULL,        QUICK,          FULL,          128, 0, 512},
    [FATHOM_BATCHNORM_FORWARD]   = {plan_matrix,  make_batchnorm_forward, NULL,         QUICK,          FULL,          128, 0, 512},
    [FATHOM_BATCHNORM_INFERENCE] = {plan_matrix,  make_batchnorm_inference, NULL,       QUICK,          FULL,          128, 0, 512},
    [FATHOM_BATCHNORM_BACKWARD]  = {plan_matrix,  make_batchnorm_backward, NULL,        QUICK,          FULL,          128, 0, 512},
    [FATHOM_MOVING_AVERAGE]      = {plan_matrix,  make_moving_average, NULL,            QUICK,          FULL,          512, 0, 512},
    [FATHOM_MOMENTS]             = {plan_matrix,  make_moments,        NULL,            QUICK,          FULL,          128, 0, 512},
    [FATHOM_SIGNAL_TOTAL]        = {plan_matrix,  make_signal_total,   NULL,            QUICK,          FULL,          8, 0, 512},
    [FATHOM_CHANGE_TOTAL]        = {plan_matrix,  make_change_total,   NULL,            QUICK,          FULL,          256, 0, 1},
    [FATHOM_EXPONENTS]           = {plan_matrix,  make_exponents,      NULL,            QUICK,          FULL,          128, 0, 512},
};
