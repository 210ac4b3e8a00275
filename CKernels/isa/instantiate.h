// Instantiates every tuned kernel for one instruction set. Parameters, set by the including file:
//   LANES, EMULATE_FMA, KERNEL(n)          see simd/vector.h
//   TABLE                                  the name of the list of kernels made here
//   REGISTERS, TILE_ROWS, TILE_VECTORS, DEPTH_BLOCK, ROW_BLOCK, A_BLOCK   see gemm/product.h
//   WGRAD_DEPTH_BLOCK, WGRAD_SQUARE        see gemm/wgrad.h
#include "../core/table.h"
#include "../simd/vector.h"
#include "../simd/math.h"
#include "../random/philox.h"

#include "../elementwise/functions.h"
#include "../instrument/signal_anew.h"
#include "../instrument/signal.h"
#include "../elementwise/activation.h"
#include "../elementwise/add.h"
#include "../gemm/product.h"
#include "../gemm/transpose.h"
#include "../gemm/forward.h"
#include "../gemm/dgrad.h"
#include "../reduce/squared_norm.h"
#include "../gemm/wgrad.h"
#include "../loss/elementwise.h"
#include "../loss/softmax.h"
#include "../normalization/layernorm.h"
#include "../instrument/moments.h"
#include "../normalization/batchnorm.h"
#include "../instrument/change.h"
#include "../optimizer/optimizer.h"
#include "../optimizer/moving_average.h"
#include "../optimizer/clip.h"
#include "../reduce/dot.h"
#include "../data/gather.h"
#include "../data/scatter.h"
#include "../random/random.h"
#include "../random/dropout.h"
#include "../recurrent/steps.h"
#include "../recurrent/lstm.h"
#include "../recurrent/gru.h"

fathom_kernel *const TABLE[FATHOM_OPERATIONS] = {
    [FATHOM_GEMM_FORWARD] = KERNEL(gemm_forward),
    [FATHOM_GEMM_DGRAD] = KERNEL(gemm_dgrad),
    [FATHOM_GEMM_WGRAD] = KERNEL(gemm_wgrad),
    [FATHOM_TRANSPOSE] = KERNEL(transpose),
    [FATHOM_BIAS_GRADIENT] = KERNEL(bias_gradient),
    [FATHOM_ACTIVATION_FORWARD] = KERNEL(activation_forward),
    [FATHOM_ACTIVATION_BACKWARD] = KERNEL(activation_backward),
    [FATHOM_SOFTMAX_CROSS_ENTROPY] = KERNEL(softmax_cross_entropy),
    [FATHOM_MEAN_SQUARED_ERROR] = KERNEL(mean_squared_error),
    [FATHOM_MEAN_ABSOLUTE_ERROR] = KERNEL(mean_absolute_error),
    [FATHOM_BINARY_CROSS_ENTROPY] = KERNEL(binary_cross_entropy),
    [FATHOM_HUBER] = KERNEL(huber),
    [FATHOM_SOFTMAX] = KERNEL(softmax),
    [FATHOM_SQUARED_NORM] = KERNEL(squared_norm),
    [FATHOM_CLIP_VALUES] = KERNEL(clip_values),
    [FATHOM_CLIP_TENSOR] = KERNEL(clip_tensor),
    [FATHOM_CLIP_UNITS] = KERNEL(clip_units),
    [FATHOM_SGD] = KERNEL(sgd),
    [FATHOM_ADAM] = KERNEL(adam),
    [FATHOM_RMSPROP] = KERNEL(rmsprop),
    [FATHOM_LION] = KERNEL(lion),
    [FATHOM_GATHER_BYTES] = KERNEL(gather_bytes),
    [FATHOM_GATHER_FLOATS] = KERNEL(gather_floats),
    [FATHOM_SCATTER] = KERNEL(scatter),
    [FATHOM_RANDOM_UNIFORM] = KERNEL(random_uniform),
    [FATHOM_RANDOM_NORMAL] = KERNEL(random_normal),
    [FATHOM_DROPOUT_FORWARD] = KERNEL(dropout_forward),
    [FATHOM_DROPOUT_BACKWARD] = KERNEL(dropout_backward),
    [FATHOM_ADD] = KERNEL(add),
    [FATHOM_DOT] = KERNEL(dot),
    [FATHOM_FILL] = KERNEL(fill),
    [FATHOM_STEP_MEAN] = KERNEL(step_mean),
    [FATHOM_STEP_SPREAD] = KERNEL(step_spread),
    [FATHOM_LSTM_FORWARD] = KERNEL(lstm_forward),
    [FATHOM_LSTM_BACKWARD] = KERNEL(lstm_backward),
    [FATHOM_GRU_FORWARD] = KERNEL(gru_forward),
    [FATHOM_GRU_BACKWARD] = KERNEL(gru_backward),
    [FATHOM_LAYERNORM_FORWARD] = KERNEL(layernorm_forward),
    [FATHOM_LAYERNORM_BACKWARD] = KERNEL(layernorm_backward),
    [FATHOM_LAYERNORM_GRADIENT] = KERNEL(layernorm_gradient),
    [FATHOM_BATCHNORM_FORWARD] = KERNEL(batchnorm_forward),
    [FATHOM_BATCHNORM_INFERENCE] = KERNEL(batchnorm_inference),
    [FATHOM_BATCHNORM_BACKWARD] = KERNEL(batchnorm_backward),
    [FATHOM_MOVING_AVERAGE] = KERNEL(moving_average),
    [FATHOM_MOMENTS] = KERNEL(moments),
};
