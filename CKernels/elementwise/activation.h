// The activations over memory: spans for the epilogues of products, and the two kernels. Needs elementwise/functions.h before it.
// The switch over kinds is outside the loops: each kind has a loop of its own, in which `kind` is a constant.

INLINE void activate_as(fathom_activation kind, float parameter, const float *z, float *y, size_t count) {
    for (size_t i = 0; i < count; i += 16) {
        vf v[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) v[q] = activation(kind, parameter, vf_load(z + i + q * LANES));
        UNROLL for (int q = 0; q < VECTORS; q++) vf_store(y + i + q * LANES, v[q]);
    }
}

INLINE void activate_saving_as(fathom_activation kind, const float *z, float *y, float *slope, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        vf v = vf_load(z + i);
        vf_store(y + i, activation(kind, 0, v));
        vf_store(slope + i, saved_slope(kind, v));
    }
}

// y = φ(z) and φ′(z) beside it, of an activation that saves it; y or slope may be z.
static void KERNEL(activate_saving)(fathom_activation kind, const float *z, float *y, float *slope, size_t count) {
    switch (kind) {
    case FATHOM_GELU: activate_saving_as(FATHOM_GELU, z, y, slope, count); break;
    case FATHOM_GELU_TANH: activate_saving_as(FATHOM_GELU_TANH, z, y, slope, count); break;
    default: activate_saving_as(FATHOM_SILU, z, y, slope, count);
    }
}

// y = φ(z); count is a multiple of 16; y may be z.
static void KERNEL(activate)(fathom_activation kind, float parameter, const float *z, float *y, size_t count) {
    switch (kind) {
    case FATHOM_RELU: activate_as(FATHOM_RELU, parameter, z, y, count); break;
    case FATHOM_LEAKY_RELU: activate_as(FATHOM_LEAKY_RELU, parameter, z, y, count); break;
    case FATHOM_ELU: activate_as(FATHOM_ELU, parameter, z, y, count); break;
    case FATHOM_SELU: activate_as(FATHOM_SELU, parameter, z, y, count); break;
    case FATHOM_GELU: activate_as(FATHOM_GELU, parameter, z, y, count); break;
    case FATHOM_GELU_TANH: activate_as(FATHOM_GELU_TANH, parameter, z, y, count); break;
    case FATHOM_SILU: activate_as(FATHOM_SILU, parameter, z, y, count); break;
    case FATHOM_TANH: activate_as(FATHOM_TANH, parameter, z, y, count); break;
    case FATHOM_SIGMOID: activate_as(FATHOM_SIGMOID, parameter, z, y, count); break;
    case FATHOM_SOFTPLUS: activate_as(FATHOM_SOFTPLUS, parameter, z, y, count); break;
    case FATHOM_HARD_TANH: activate_as(FATHOM_HARD_TANH, parameter, z, y, count); break;
    default: if (y != z) activate_as(FATHOM_IDENTITY, parameter, z, y, count);
    }
}

// Where a vector is a panel row, a product with φ′ is masked on the way, which costs nothing there, and so zero in padding lanes. Rows that go two by two are not masked, which
// would cost a fifth; their lanes from 8 on stay as they were, so that of 8 columns none has to be cleared.
enum { MASKS_PADDING = VECTORS == 1 };

// Whether a gradient that was zero in padding lanes has been left so.
INLINE bool padding_is_zero(fathom_signal_blocks blocks, size_t live) { return MASKS_PADDING && !(blocks.sums && live < FATHOM_PANEL / 2); }

// dz = dy·φ′(saved) of a block of rows, and what they tell: first of the gradient, which may lie where dz will, then of the slopes and of what is saved, which may not. `live`
// columns of the panel count. So many chains go `together`; where that is more than one, all have 16 rows.
INLINE void activate_backward_block(
    fathom_activation kind, float parameter, bool tells_output, const float *saved, const float *dy, float *dz, size_t rows, size_t together, fathom_signal_blocks block,
    size_t live, bool paired) {
    bool has_slope = kind != FATHOM_IDENTITY;
    // Where a panel has two vectors there are too few registers for the sums of h beside others.
    bool early = VECTORS == 1 && tells_output && !has_slope, between = VECTORS == 1 && tells_output && has_slope, late = VECTORS > 1 && tells_output;
    size_t step = paired ? 2 : 1;
    signal_lanes lanes = {0};
    UNROLL for (int q = 0; q < VECTORS; q++) lanes.common[q] = vi_set(-1);
    ROLLED for (size_t first = 0; first < rows; first += FATHOM_PANEL * together) {
        signal_chains some = {0};
        const float *from = dy + first * FATHOM_PANEL, *h = saved + (early ? first * FATHOM_PANEL : 0);
        size_t left = rows - first, length = together > 1 || left > FATHOM_PANEL ? FATHOM_PANEL : left, number = first / FATHOM_PANEL;
        ROLLED for (size_t r = 0; r < length; r += step) UNROLL for (int j = 0; j < (int)together * VECTORS; j++) {
            size_t chain = j / VECTORS * SIGNAL_CHAIN;
            signal_add_gradient(&some, &lanes, j, signal_load(from + chain, paired, r, j % VECTORS));
            if (early) signal_add_output(&some, j, kind, signal_load(h + chain, paired, r, j % VECTORS), saved);
        }
        signal_join(&lanes, FATHOM_GRADIENT_SQUARES, &some, number, together);
        if (early) (signal_join(&lanes, FATHOM_OUTPUT_SUM, &some, number, together), signal_join(&lanes, FATHOM_OUTPUT_SQUARES, &some, number, together));
    }
    bool usual = signal_gradients_are_usual(block, &lanes, dy, rows, live, paired);
    float threshold = saturated_slope(kind, parameter);
    vi columns = vi_below(0, live);
    ROLLED for (size_t first = 0; first < rows && (has_slope || late || dz != dy); first += FATHOM_PANEL * together) {
        signal_chains some = {0};
        const float *from = dy + first * FATHOM_PANEL, *h = saved + (has_slope || late ? first * FATHOM_PANEL : 0);
        float *to = dz + first * FATHOM_PANEL;
        size_t left = rows - first, length = together > 1 || left > FATHOM_PANEL ? FATHOM_PANEL : left, number = first / FATHOM_PANEL;
        ROLLED for (size_t r = 0; (has_slope || dz != dy) && r < length; r += step) UNROLL for (int j = 0; j < (int)together * VECTORS; j++) {
            size_t chain = j / VECTORS * SIGNAL_CHAIN;
            vf gradient = signal_load(from + chain, paired, r, j % VECTORS);
            if (has_slope) {
                vf output = signal_load(h + chain, paired, r, j % VECTORS);
                vf slope = slope_is_binary(kind) ? binary_slope(kind, output) : activation_slope(kind, parameter, output);
                signal_add_slope(&some, &lanes, j, kind, slope, threshold);
                if (between) signal_add_output(&some, j, kind, output, saved);
                gradient = gradient * slope;
            }
            signal_store(to + chain, paired, r, j % VECTORS, MASKS_PADDING && !paired ? vf_where(columns, gradient) : gradient);
        }
        ROLLED for (size_t r = 0; late && r < length; r += step) UNROLL for (int j = 0; j < (int)together * VECTORS; j++)
            signal_add_output(&some, j, kind, signal_load(h + j / VECTORS * SIGNAL_CHAIN, paired, r, j % VECTORS), saved);
        if (has_slope) signal_join(&lanes, FATHOM_SLOPE_SQUARES, &some, number, together);
        if (between || late) (signal_join(&lanes, FATHOM_OUTPUT_SUM, &some, number, together), signal_join(&lanes, FATHOM_OUTPUT_SQUARES, &some, number, together));
    }
    signal_finish(block, &lanes, kind, tells_output, usual, saved, dz, rows, live, paired);
}

INLINE void activate_backward_blocks(
    fathom_activation kind, float parameter, bool tells_output, const float *saved, const float *dy, float *dz, size_t count, fathom_signal_blocks blocks, size_t live) {
    size_t rows = count / FATHOM_PANEL, most = blocks.rows;
    live = live < FATHOM_PANEL ? live : FATHOM_PANEL;
    for (size_t r = 0; r < rows; r += most) {
        size_t some = rows - r < most ? rows - r : most, at = r * FATHOM_PANEL;
        const float *h = kind != FATHOM_IDENTITY || tells_output ? saved + at : saved;
        bool many = CHAINS_TOGETHER > 1 && some % ROWS_TOGETHER == 0, paired = signal_is_paired(some, live);
        size_t whole = ROWS_TOGETHER == FATHOM_SIGNAL_ROWS ? FATHOM_SIGNAL_ROWS : some;
        if (many && paired) activate_backward_block(kind, parameter, tells_output, h, dy + at, dz + at, whole, CHAINS_TOGETHER, blocks, live, true);
        else if (many) activate_backward_block(kind, parameter, tells_output, h, dy + at, dz + at, whole, CHAINS_TOGETHER, blocks, live, false);
        else if (paired) activate_backward_block(kind, parameter, tells_output, h, dy + at, dz + at, some, 1, blocks, live, true);
        else activate_backward_block(kind, parameter, tells_output, h, dy + at, dz + at, some, 1, blocks, live, false);
        blocks.sums += FATHOM_SIGNAL_SUMS;
        blocks.counts += FATHOM_SIGNAL_COUNTS;
    }
}

INLINE void activate_backward_as(
    fathom_activation kind, float parameter, const float *saved, const float *dy, float *dz, size_t count, fathom_signal_blocks blocks, size_t live) {
    if (blocks.sums) return activate_backward_blocks(kind, parameter, slope_is_of_output(kind), saved, dy, dz, count, blocks, live);
    vi columns = vi_below(0, live);
    for (size_t i = 0; i < count; i += 16) {
        vf v[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) v[q] = vf_load(dy + i + q * LANES) * activation_slope(kind, parameter, vf_load(saved + i + q * LANES));
        UNROLL for (int q = 0; q < VECTORS; q++) vf_store(dz + i + q * LANES, MASKS_PADDING ? vf_where(columns, v[q]) : v[q]);
    }
}

// dz = dy·φ′(saved); count is a multiple of 16; dz may be dy. Identity does not read saved, which may be NULL. Where `blocks` are wanted, the first row is one
// with which a block begins, and `live` of the panel's columns count.
static void KERNEL(activate_backward)(
    fathom_activation kind, float parameter, const float *saved, const float *dy, float *dz, size_t count, fathom_signal_blocks blocks, size_t live) {
    switch (kind) {
    case FATHOM_RELU: activate_backward_as(FATHOM_RELU, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_LEAKY_RELU: activate_backward_as(FATHOM_LEAKY_RELU, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_ELU: activate_backward_as(FATHOM_ELU, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_SELU: activate_backward_as(FATHOM_SELU, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_GELU: activate_backward_as(FATHOM_GELU, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_GELU_TANH: activate_backward_as(FATHOM_GELU_TANH, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_SILU: activate_backward_as(FATHOM_SILU, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_TANH: activate_backward_as(FATHOM_TANH, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_SIGMOID: activate_backward_as(FATHOM_SIGMOID, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_SOFTPLUS: activate_backward_as(FATHOM_SOFTPLUS, parameter, saved, dy, dz, count, blocks, live); break;
    case FATHOM_HARD_TANH: activate_backward_as(FATHOM_HARD_TANH, parameter, saved, dy, dz, count, blocks, live); break;
    default:
        if (blocks.sums) activate_backward_blocks(FATHOM_IDENTITY, parameter, false, saved, dy, dz, count, blocks, live);
        else if (dz != dy) activate_as(FATHOM_IDENTITY, parameter, dy, dz, count);
    }
}

static void KERNEL(activation_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_activation_forward_arguments *a = &arguments->activation_forward;
    size_t first = FATHOM_PANEL * range.row_begin, count = FATHOM_PANEL * (range.row_end - range.row_begin);
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *z = a->z + p * a->z_stride + first;
        float *y = a->y + p * a->y_stride + first;
        if (a->slope) KERNEL(activate_saving)(a->activation, z, y, a->slope + p * a->slope_stride + first, count);
        else KERNEL(activate)(a->activation, a->parameter, z, y, count);
    }
}

static void KERNEL(activation_backward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_activation_backward_arguments *a = &arguments->activation_backward;
    size_t first = FATHOM_PANEL * range.row_begin, count = FATHOM_PANEL * (range.row_end - range.row_begin);
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *saved = a->saved ? a->saved + p * a->saved_stride + first : NULL;
        float *dz = a->dz + p * a->dz_stride + first;
        fathom_signal_blocks blocks = fathom_signal_blocks_from(a->blocks, p, range.row_begin);
        size_t live = a->columns - p * FATHOM_PANEL;
        KERNEL(activate_backward)(a->activation, a->parameter, saved, a->dy + p * a->dy_stride + first, dz, count, blocks, live);
        if (live >= FATHOM_PANEL) continue;
        for (size_t row = 0; row < count; row += FATHOM_PANEL)
            UNROLL for (int q = 0; q < VECTORS; q++) {
                vf lanes = vf_load(dz + row + q * LANES);
                vf_store(dz + row + q * LANES, vf_select(vi_below(q * LANES, live), lanes, vf_set(0)));
            }
    }
}
