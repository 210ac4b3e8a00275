// The work of each operation: a grid of rows × panels, which share.c divides over threads. Only outputs are divided, never a sum, so the division decides no bit.
#include "table.h"

static fathom_grid grid(size_t rows, size_t row_step, size_t panels, double flops, double bytes) {
    return (fathom_grid){rows, row_step, panels, flops, bytes};
}

// Blocks are not divided.
static size_t block_rows(fathom_signal_blocks blocks) { return blocks.sums ? blocks.rows : 1; }

// Products are divided at any row: gemm/product.h makes tiles of even height from however many there are.
fathom_grid fathom_grid_of(const fathom_call *call) {
    const fathom_arguments *a = &call->arguments;
    switch (call->operation) {
    case FATHOM_GEMM_FORWARD: {
        const fathom_gemm_forward_arguments *g = &a->gemm_forward;
        double r = g->rows, k = g->inputs, n = g->outputs;
        return grid(g->rows, 1, fathom_panels(g->outputs), 2 * r * k * n, 4 * (r * k + k * n + r * n));
    }
    case FATHOM_GEMM_DGRAD: {
        const fathom_gemm_dgrad_arguments *g = &a->gemm_dgrad;
        double r = g->rows, k = g->inputs, n = g->outputs;
        return grid(g->rows, block_rows(g->blocks), fathom_panels(g->inputs), 2 * r * k * n, 4 * (r * k + k * n + r * n));
    }
    case FATHOM_GEMM_WGRAD: {
        const fathom_gemm_wgrad_arguments *g = &a->gemm_wgrad;
        double r = g->rows, k = g->inputs, n = g->outputs;
        return grid(g->inputs, FATHOM_PANEL, fathom_panels(g->outputs), 2 * r * k * n, 4 * (r * k + k * n + r * n));
    }
    case FATHOM_TRANSPOSE: {
        const fathom_transpose_arguments *t = &a->transpose;
        double n = (double)t->rows * t->columns;
        return grid(t->columns, FATHOM_PANEL, fathom_panels(t->rows), 0, 8 * n);  // of T, so that dgrad finds its panels where they were made
    }
    case FATHOM_BIAS_GRADIENT: {
        const fathom_bias_gradient_arguments *b = &a->bias_gradient;
        double n = (double)b->rows * b->columns;
        return grid(1, 1, fathom_panels(b->columns), n, 4 * n);
    }
    case FATHOM_ACTIVATION_FORWARD: {
        const fathom_activation_forward_arguments *f = &a->activation_forward;
        double n = (double)f->rows * f->columns;
        return grid(f->rows, 1, fathom_panels(f->columns), 20 * n, (f->slope ? 12 : 8) * n);
    }
    case FATHOM_ACTIVATION_BACKWARD: {
        const fathom_activation_backward_arguments *b = &a->activation_backward;
        double n = (double)b->rows * b->columns;
        return grid(b->rows, block_rows(b->blocks), fathom_panels(b->columns), 20 * n, 12 * n);
    }
    case FATHOM_SOFTMAX_CROSS_ENTROPY:
    case FATHOM_MEAN_SQUARED_ERROR:
    case FATHOM_MEAN_ABSOLUTE_ERROR:
    case FATHOM_BINARY_CROSS_ENTROPY:
    case FATHOM_HUBER: {
        const fathom_loss_arguments *l = &a->loss;
        double n = (double)l->rows * l->columns;
        return grid(l->rows, block_rows(l->blocks), 1, 30 * n, 12 * n);
    }
    case FATHOM_SOFTMAX: {
        const fathom_softmax_arguments *s = &a->softmax;
        double n = (double)s->rows * s->columns;
        return grid(s->rows, 1, 1, 30 * n, 8 * n);
    }
    case FATHOM_ARGMAX: {
        const fathom_argmax_arguments *m = &a->argmax;
        double n = (double)m->rows * m->columns;
        return grid(m->rows, 1, 1, n, 4 * n);
    }
    case FATHOM_LOSS_MEAN: return grid(1, 1, 1, a->loss_mean.rows, 8.0 * a->loss_mean.rows);
    case FATHOM_SQUARED_NORM: {
        const fathom_squared_norm_arguments *s = &a->squared_norm;
        double n = (double)s->rows * s->columns, read = s->squares ? n / 256 : n;
        return grid(1, 1, fathom_panels(s->columns), 2 * read, s->squares ? 8 * read : 4 * read);
    }
    case FATHOM_CLIP: return grid(1, 1, 1, 0, 0);
    case FATHOM_CLIP_VALUES: return grid(a->clip_values.count / FATHOM_PANEL, 1, 1, 2.0 * a->clip_values.count, 8.0 * a->clip_values.count);
    case FATHOM_CLIP_TENSOR: return grid(a->clip_tensor.count / FATHOM_PANEL, 1, 1, a->clip_tensor.count, 8.0 * a->clip_tensor.count);
    case FATHOM_CLIP_UNITS: {
        const fathom_clip_units_arguments *u = &a->clip_units;
        double n = (double)u->rows * u->columns;
        return grid(1, 1, u->whole ? 1 : fathom_panels(u->columns), (u->w ? 5 : 3) * n, (u->w ? 12 : 8) * n);
    }
    case FATHOM_SGD:
    case FATHOM_ADAM:
    case FATHOM_RMSPROP:
    case FATHOM_LION: {
        const fathom_optimizer_arguments *o = &a->optimizer;
        double n = (double)o->count, flops = call->operation == FATHOM_SGD ? 5 : call->operation == FATHOM_LION ? 10 : 14;
        return grid(o->count / FATHOM_PANEL, o->segments ? FATHOM_CHANGE_ROWS : 1, 1, flops * n, (12 + (o->m ? 8 : 0) + (o->v ? 8 : 0)) * n);  // p, g, and the state in and out
    }
    case FATHOM_GATHER_BYTES:
    case FATHOM_GATHER_FLOATS: {
        const fathom_gather_arguments *g = &a->gather;
        double n = (double)g->rows * g->columns * g->steps;
        return grid(g->rows, 1, g->steps, 2 * n, (call->operation == FATHOM_GATHER_BYTES ? 5 : 8) * n);
    }
    case FATHOM_GATHER_CLASSES: {
        const fathom_gather_classes_arguments *g = &a->gather_classes;
        return grid(g->rows, 1, g->steps, 0, 8.0 * g->rows * g->steps);
    }
    case FATHOM_SCATTER: {
        const fathom_scatter_arguments *s = &a->scatter;
        double n = (double)s->rows * s->columns * s->steps;
        return grid(s->rows, 1, s->steps, 2 * n, 8 * n);
    }
    case FATHOM_RANDOM_UNIFORM:
    case FATHOM_RANDOM_NORMAL: {
        const fathom_random_arguments *r = &a->random;
        double n = (double)r->rows * r->columns;
        return grid(r->rows, 1, fathom_panels(r->columns), 40 * n, 4 * n);
    }
    case FATHOM_DROPOUT_FORWARD:
    case FATHOM_DROPOUT_BACKWARD: {
        const fathom_dropout_arguments *d = &a->dropout;
        double n = (double)d->rows * d->columns;
        return grid(d->rows, 1, fathom_panels(d->columns), (call->operation == FATHOM_DROPOUT_FORWARD ? 40 : 2) * n, 8 * n);
    }
    case FATHOM_ADD: {
        double n = (double)a->add.rows * a->add.columns;
        return grid(a->add.rows, 1, fathom_panels(a->add.columns), 2 * n, (a->add.a ? 12 : 8) * n);
    }
    case FATHOM_DOT: {
        double n = (double)a->dot.rows * a->dot.columns;
        return grid(1, 1, fathom_panels(a->dot.columns), 2 * n, 8 * n);
    }
    case FATHOM_DOT_TOTAL: return grid(1, 1, 1, a->dot_total.panels, 8.0 * a->dot_total.panels);
    case FATHOM_FILL: {
        double n = (double)a->fill.rows * a->fill.columns;
        return grid(a->fill.rows, 1, fathom_panels(a->fill.columns), 0, 4 * n);
    }
    case FATHOM_STEP_MEAN:
    case FATHOM_STEP_SPREAD: {
        const fathom_steps_arguments *s = &a->steps;
        double n = (double)s->rows * s->columns * s->steps;
        return grid(s->rows, 1, fathom_panels(s->columns), n, 4 * n);
    }
    case FATHOM_LSTM_FORWARD:
    case FATHOM_LSTM_BACKWARD: {
        const fathom_lstm_arguments *l = &a->lstm;
        double n = (double)l->rows * l->columns;
        bool forward = call->operation == FATHOM_LSTM_FORWARD;
        return grid(l->rows, 1, fathom_panels(l->columns), (forward ? 100 : 45) * n, (forward ? 44 : 52) * n);
    }
    case FATHOM_GRU_FORWARD:
    case FATHOM_GRU_BACKWARD: {
        const fathom_gru_arguments *g = &a->gru;
        double n = (double)g->rows * g->columns;
        bool forward = call->operation == FATHOM_GRU_FORWARD;
        return grid(g->rows, 1, fathom_panels(g->columns), (forward ? 65 : 20) * n, (forward ? 36 : 48) * n);
    }
    // A row's sums need its columns; where there are none, there is no row to normalize. Likewise a column's.
    case FATHOM_LAYERNORM_FORWARD: {
        const fathom_layernorm_forward_arguments *l = &a->layernorm_forward;
        double n = (double)l->rows * l->columns;
        return grid(l->columns ? l->rows : 0, 1, 1, 8 * n, (l->slope ? 12 : 8) * n);
    }
    case FATHOM_LAYERNORM_BACKWARD: {
        const fathom_layernorm_backward_arguments *l = &a->layernorm_backward;
        double n = (double)l->rows * l->columns;
        return grid(l->columns ? l->rows : 0, block_rows(l->blocks), 1, 10 * n, 12 * n);
    }
    case FATHOM_LAYERNORM_GRADIENT: {
        const fathom_layernorm_gradient_arguments *l = &a->layernorm_gradient;
        double n = (double)l->rows * l->columns;
        return grid(1, 1, fathom_panels(l->columns), 5 * n, 8 * n);
    }
    case FATHOM_BATCHNORM_FORWARD: {
        const fathom_batchnorm_forward_arguments *b = &a->batchnorm_forward;
        double n = (double)b->rows * b->columns;
        double flops = b->x_moments ? 9 : 8;  // the distances are there
        return grid(b->rows ? 1 : 0, 1, fathom_panels(b->columns), flops * n, (b->slope ? 12 : 8) * n);
    }
    case FATHOM_BATCHNORM_INFERENCE: {
        const fathom_batchnorm_inference_arguments *b = &a->batchnorm_inference;
        double n = (double)b->rows * b->columns;
        return grid(b->rows, 1, fathom_panels(b->columns), 3 * n, 8 * n);
    }
    case FATHOM_BATCHNORM_BACKWARD: {
        const fathom_batchnorm_backward_arguments *b = &a->batchnorm_backward;
        double n = (double)b->rows * b->columns;
        return grid(1, 1, fathom_panels(b->columns), 9 * n, 12 * n);
    }
    case FATHOM_MOVING_AVERAGE: return grid(a->moving_average.count / FATHOM_PANEL, 1, 1, 3.0 * a->moving_average.count, 12.0 * a->moving_average.count);
    case FATHOM_MOMENTS: {
        double n = (double)a->moments.rows * a->moments.columns;
        return grid(1, 1, fathom_panels(a->moments.columns), 3 * n, 4 * n);
    }
    case FATHOM_SIGNAL_TOTAL: {
        // Of like signals, as those of a deep network are. Blocks come from the caches of the threads that wrote them, at a third of the speed of what is read in order.
        const fathom_signal_total_arguments *s = &a->signal_total;
        double blocks = s->signals ? (double)s->signals * s->sources->panels * s->sources->blocks.stride : 0;
        return grid(s->signals, 1, 1, 6 * blocks, 3 * (8 * FATHOM_SIGNAL_SUMS + 2 * FATHOM_SIGNAL_COUNTS) * blocks);
    }
    case FATHOM_CHANGE_TOTAL: {
        const fathom_change_total_arguments *c = &a->change_total;
        double blocks = c->tensors ? (double)c->tensors * c->sources->blocks : 0;
        return grid(c->tensors, 1, 1, 2 * blocks, 16 * blocks);
    }
    case FATHOM_EXPONENTS: {
        double n = (double)a->exponents.rows * a->exponents.columns;
        return grid(1, 1, fathom_panels(a->exponents.columns), 4 * n, 4 * n);
    }
    case FATHOM_OPERATIONS: break;
    }
    return grid(0, 1, 0, 0, 0);
}
