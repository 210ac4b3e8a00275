// The list of reference kernels: the definition of every operation, in plain C. No slot is empty.
#include "reference.h"

fathom_kernel fathom_activation_forward_reference, fathom_activation_backward_reference;
fathom_kernel fathom_softmax_cross_entropy_reference, fathom_mean_squared_error_reference, fathom_binary_cross_entropy_reference,
    fathom_huber_reference, fathom_loss_mean_reference, fathom_softmax_reference, fathom_argmax_reference, fathom_squared_norm_reference,
    fathom_clip_reference, fathom_gather_bytes_reference, fathom_gather_floats_reference, fathom_gather_classes_reference,
    fathom_scatter_reference, fathom_random_uniform_reference, fathom_random_normal_reference;
fathom_kernel fathom_sgd_reference, fathom_adam_reference, fathom_rmsprop_reference, fathom_lion_reference;
fathom_kernel fathom_add_reference, fathom_fill_reference, fathom_dropout_forward_reference, fathom_dropout_backward_reference, fathom_dot_reference,
    fathom_dot_total_reference, fathom_step_mean_reference, fathom_step_spread_reference, fathom_lstm_forward_reference,
    fathom_lstm_backward_reference, fathom_gru_forward_reference, fathom_gru_backward_reference;

fathom_kernel *const fathom_reference_kernels[FATHOM_OPERATIONS] = {
    [FATHOM_GEMM_FORWARD] = fathom_gemm_forward_reference,
    [FATHOM_GEMM_DGRAD] = fathom_gemm_dgrad_reference,
    [FATHOM_GEMM_WGRAD] = fathom_gemm_wgrad_reference,
    [FATHOM_TRANSPOSE] = fathom_transpose_reference,
    [FATHOM_BIAS_GRADIENT] = fathom_bias_gradient_reference,
    [FATHOM_ACTIVATION_FORWARD] = fathom_activation_forward_reference,
    [FATHOM_ACTIVATION_BACKWARD] = fathom_activation_backward_reference,
    [FATHOM_SOFTMAX_CROSS_ENTROPY] = fathom_softmax_cross_entropy_reference,
    [FATHOM_MEAN_SQUARED_ERROR] = fathom_mean_squared_error_reference,
    [FATHOM_BINARY_CROSS_ENTROPY] = fathom_binary_cross_entropy_reference,
    [FATHOM_HUBER] = fathom_huber_reference,
    [FATHOM_LOSS_MEAN] = fathom_loss_mean_reference,
    [FATHOM_SOFTMAX] = fathom_softmax_reference,
    [FATHOM_ARGMAX] = fathom_argmax_reference,
    [FATHOM_SQUARED_NORM] = fathom_squared_norm_reference,
    [FATHOM_CLIP] = fathom_clip_reference,
    [FATHOM_SGD] = fathom_sgd_reference,
    [FATHOM_ADAM] = fathom_adam_reference,
    [FATHOM_RMSPROP] = fathom_rmsprop_reference,
    [FATHOM_LION] = fathom_lion_reference,
    [FATHOM_GATHER_BYTES] = fathom_gather_bytes_reference,
    [FATHOM_GATHER_FLOATS] = fathom_gather_floats_reference,
    [FATHOM_GATHER_CLASSES] = fathom_gather_classes_reference,
    [FATHOM_SCATTER] = fathom_scatter_reference,
    [FATHOM_RANDOM_UNIFORM] = fathom_random_uniform_reference,
    [FATHOM_RANDOM_NORMAL] = fathom_random_normal_reference,
    [FATHOM_DROPOUT_FORWARD] = fathom_dropout_forward_reference,
    [FATHOM_DROPOUT_BACKWARD] = fathom_dropout_backward_reference,
    [FATHOM_ADD] = fathom_add_reference,
    [FATHOM_DOT] = fathom_dot_reference,
    [FATHOM_DOT_TOTAL] = fathom_dot_total_reference,
    [FATHOM_FILL] = fathom_fill_reference,
    [FATHOM_STEP_MEAN] = fathom_step_mean_reference,
    [FATHOM_STEP_SPREAD] = fathom_step_spread_reference,
    [FATHOM_LSTM_FORWARD] = fathom_lstm_forward_reference,
    [FATHOM_LSTM_BACKWARD] = fathom_lstm_backward_reference,
    [FATHOM_GRU_FORWARD] = fathom_gru_forward_reference,
    [FATHOM_GRU_BACKWARD] = fathom_gru_backward_reference,
};
