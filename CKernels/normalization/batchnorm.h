// Batch normalization: forward, with statistics that are given, and backward. Operation for operation reference/batchnorm.c.
//
// A panel is read once for the mean, once for the variance and once to normalize; for usual batches it stays in the first-level cache. Blocks of 16 rows are
// summed several at once, so many that 8 chains of additions hide each other's latency.
// Needs elementwise/activation.h, gemm/product.h and instrument/moments.h.

enum {
    BATCHNORM_BLOCKS = LANES / 2,           // blocks that go together where one sum is made
    BATCHNORM_BACKWARD_BLOCKS = LANES / 4,  // and where two are
    BATCHNORM_ROWS = 64,                    // rows that are normalized before the activation runs over them
};
_Static_assert(BATCHNORM_ROWS % FATHOM_SIGNAL_ROWS == 0, "whole blocks");

// Σ (x − centre), or Σ (x − centre)², of `blocks` neighbouring blocks of `rows` rows.
INLINE void sum_blocks(const float *x, size_t rows, int blocks, const vf *centre, bool squared, vd *sums) {
    vf chains[BATCHNORM_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < blocks * VECTORS; j++) chains[j] = vf_set(0);
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < blocks * VECTORS; j++) {
            vf d = vf_load(x + (size_t)(j / VECTORS) * 256 + r * FATHOM_PANEL + j % VECTORS * LANES) - centre[j % VECTORS];
            chains[j] = squared ? vf_fma(d, d, chains[j]) : chains[j] + d;
        }
    UNROLL for (int j = 0; j < blocks * VECTORS; j++) sums[j % VECTORS] += vf_to_double(chains[j]);
}

INLINE void sum_panel(const float *x, size_t rows, const vf *centre, bool squared, vd *sums) {
    size_t r = 0;
    UNROLL for (int q = 0; q < VECTORS; q++) sums[q] = vd_set(0);
    for (; r + 16 * BATCHNORM_BLOCKS <= rows; r += 16 * BATCHNORM_BLOCKS) sum_blocks(x + r * FATHOM_PANEL, 16, BATCHNORM_BLOCKS, centre, squared, sums);
    for (; r + 32 <= rows; r += 32) sum_blocks(x + r * FATHOM_PANEL, 16, 2, centre, squared, sums);
    for (; r < rows; r += 16) sum_blocks(x + r * FATHOM_PANEL, least(16, rows - r), 1, centre, squared, sums);
}

// z = (x − mean)·scale + bias of one panel, then y = φ(z).
typedef struct batchnorm_panel {
    const float *x;
    vf mean[VECTORS], scale[VECTORS], bias[VECTORS];
    fathom_activation activation;
    float parameter;
    float *slope;  // NULL: not kept
    float *y;
} batchnorm_panel;

INLINE void scale_rows(const batchnorm_panel *b, size_t begin, size_t end, float *z, bool rectify) {
    for (size_t r = begin; r < end; r++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf normalized = vf_fma(vf_load(b->x + r * FATHOM_PANEL + q * LANES) - b->mean[q], b->scale[q], b->bias[q]);
        vf_store(z + r * FATHOM_PANEL + q * LANES, rectify ? relu(normalized) : normalized);
    }
}

INLINE void normalize_columns(const batchnorm_panel *b, size_t begin, size_t end) {
    if (b->activation == FATHOM_RELU) return scale_rows(b, begin, end, b->y, true);
    float *z = b->slope ? b->slope : b->y;
    for (size_t r = begin; r < end; r += BATCHNORM_ROWS) {
        size_t stop = least(r + BATCHNORM_ROWS, end);
        scale_rows(b, r, stop, z, false);
        float *some = z + r * FATHOM_PANEL, *y = b->y + r * FATHOM_PANEL;
        if (b->slope) KERNEL(activate_saving)(b->activation, some, y, some, FATHOM_PANEL * (stop - r));
        else KERNEL(activate)(b->activation, b->parameter, some, y, FATHOM_PANEL * (stop - r));
    }
}

// 1/√(variance + ε) in float64, rounded once; 0 in padding.
INLINE vf reciprocal_deviation(vd variance, float epsilon, vi live) {
    return vf_select(live, vd_to_float(1 / vd_sqrt(variance + (double)epsilon)), vf_set(0));
}

INLINE void forward_panel(const fathom_batchnorm_forward_arguments *a, size_t p) {
    const float *x = a->x + p * a->x_stride;
    size_t first = p * FATHOM_PANEL, columns = least(a->columns - first, FATHOM_PANEL);
    double share = 1 / (double)a->rows, unbiased = a->rows > 1 ? 1 / (double)(a->rows - 1) : 1;
    batchnorm_panel b = {.x = x, .activation = a->activation, .parameter = a->parameter, .slope = a->slope ? a->slope + p * a->slope_stride : NULL,
                         .y = a->y + p * a->y_stride};
    vd sums[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) b.mean[q] = vf_load(x + q * LANES);
    if (a->x_moments) {  // the same distances, and their squares beside them
        vd squares[VECTORS];
        moments_of_rows(x, a->rows, b.mean, sums, squares);
        moments_of_distances(x, a->rows, columns, b.mean, sums, squares, a->x_moments + 3 * p);
    } else sum_panel(x, a->rows, b.mean, false, sums);
    UNROLL for (int q = 0; q < VECTORS; q++)
        b.mean[q] = vf_select(vi_below(first + q * LANES, a->columns), vd_to_float(vf_to_double(b.mean[q]) + sums[q] * share), vf_set(0));
    sum_panel(x, a->rows, b.mean, true, sums);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        size_t at = first + q * LANES;
        vi live = vi_below(at, a->columns);
        vf rstd = reciprocal_deviation(sums[q] * share, a->epsilon, live);
        vf_store(a->mean + at, b.mean[q]);
        vf_store(a->variance + at, vf_select(live, vd_to_float(sums[q] * unbiased), vf_set(0)));
        vf_store(a->rstd + at, rstd);
        b.scale[q] = rstd * vf_load_or(a->gain, at, 1);
        b.bias[q] = vf_load_or(a->bias, at, 0);
    }
    normalize_columns(&b, 0, a->rows);
}

static void KERNEL(batchnorm_forward)(const fathom_arguments *arguments, fathom_range range) {
    for (size_t p = range.panel_begin; p < range.panel_end; p++) forward_panel(&arguments->batchnorm_forward, p);
}

static void KERNEL(batchnorm_inference)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_batchnorm_inference_arguments *a = &arguments->batchnorm_inference;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        batchnorm_panel b = {.x = a->x + p * a->x_stride, .activation = a->activation, .parameter = a->parameter, .y = a->y + p * a->y_stride};
        UNROLL for (int q = 0; q < VECTORS; q++) {
            size_t at = p * FATHOM_PANEL + q * LANES;
            b.mean[q] = vf_load(a->mean + at);
            b.scale[q] = reciprocal_deviation(vf_to_double(vf_load(a->variance + at)), a->epsilon, vi_below(at, a->columns)) * vf_load_or(a->gain, at, 1);
            b.bias[q] = vf_load_or(a->bias, at, 0);
        }
        normalize_columns(&b, range.row_begin, range.row_end);
    }
}

// Σ dy and Σ dy·(x − mean) of `blocks` neighbouring blocks of `rows` rows.
INLINE void sum_blocks_backward(const float *x, const float *dy, size_t rows, int blocks, const vf *mean, vd *of_dy, vd *of_product) {
    vf chains[BATCHNORM_BACKWARD_BLOCKS * VECTORS], products[BATCHNORM_BACKWARD_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < blocks * VECTORS; j++) chains[j] = products[j] = vf_set(0);
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < blocks * VECTORS; j++) {
            size_t at = (size_t)(j / VECTORS) * 256 + r * FATHOM_PANEL + j % VECTORS * LANES;
            vf d = vf_load(dy + at);
            chains[j] += d;
            products[j] = vf_fma(d, vf_load(x + at) - mean[j % VECTORS], products[j]);
        }
    UNROLL for (int j = 0; j < blocks * VECTORS; j++) {
        of_dy[j % VECTORS] += vf_to_double(chains[j]);
        of_product[j % VECTORS] += vf_to_double(products[j]);
    }
}

INLINE void sum_panel_backward(const float *x, const float *dy, size_t rows, const vf *mean, vd *of_dy, vd *of_product) {
    enum { STEP = 16 * BATCHNORM_BACKWARD_BLOCKS };
    size_t r = 0;
    UNROLL for (int q = 0; q < VECTORS; q++) of_dy[q] = of_product[q] = vd_set(0);
    for (; r + STEP <= rows; r += STEP)
        sum_blocks_backward(x + r * FATHOM_PANEL, dy + r * FATHOM_PANEL, 16, BATCHNORM_BACKWARD_BLOCKS, mean, of_dy, of_product);
    for (; r < rows; r += 16)
        sum_blocks_backward(x + r * FATHOM_PANEL, dy + r * FATHOM_PANEL, least(16, rows - r), 1, mean, of_dy, of_product);
}

INLINE void backward_panel(const fathom_batchnorm_backward_arguments *b, size_t p) {
    const float *x = b->x + p * b->x_stride, *dy = b->dy + p * b->dy_stride;
    size_t first = p * FATHOM_PANEL;
    double share = 1 / (double)b->rows;
    vf mean[VECTORS], scale[VECTORS], mean_dy[VECTORS], rate[VECTORS];
    vd of_dy[VECTORS], of_product[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) mean[q] = vf_load(b->mean + first + q * LANES);
    sum_panel_backward(x, dy, b->rows, mean, of_dy, of_product);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        size_t at = first + q * LANES;
        vi live = vi_below(at, b->columns);
        vf rstd = vf_load(b->rstd + at), dgain = vd_to_float(vf_to_double(rstd) * of_product[q]), dbias = vd_to_float(of_dy[q]);
        if (b->dgain) vf_store(b->dgain + at, vf_select(live, b->accumulate ? vf_load(b->dgain + at) + dgain : dgain, vf_set(0)));
        if (b->dbias) vf_store(b->dbias + at, vf_select(live, b->accumulate ? vf_load(b->dbias + at) + dbias : dbias, vf_set(0)));
        mean_dy[q] = vd_to_float(of_dy[q] * share);
        rate[q] = -vd_to_float(vf_to_double(rstd) * vf_to_double(rstd) * of_product[q] * share);
        scale[q] = rstd * vf_load_or(b->gain, at, 1);
    }
    if (!b->dx) return;
    float *dx = b->dx + p * b->dx_stride;
    for (size_t begin = 0; begin < b->rows; begin += BATCHNORM_ROWS) {
        size_t end = least(begin + BATCHNORM_ROWS, b->rows);
        for (size_t i = begin * FATHOM_PANEL; i < end * FATHOM_PANEL; i += FATHOM_PANEL) UNROLL for (int q = 0; q < VECTORS; q++) {
            vf rest = vf_fma(rate[q], vf_load(x + i + q * LANES) - mean[q], vf_load(dy + i + q * LANES) - mean_dy[q]);
            vf_store(dx + i + q * LANES, scale[q] * rest);
        }
        float *some = dx + begin * FATHOM_PANEL;
        const float *saved = b->saved ? b->saved + p * b->saved_stride + begin * FATHOM_PANEL : NULL;
        fathom_signal_blocks blocks = fathom_signal_blocks_from(b->blocks, p, begin);
        KERNEL(activate_backward)(b->activation, b->parameter, saved, some, some, FATHOM_PANEL * (end - begin), blocks, b->columns - first);
        if (b->columns - first < FATHOM_PANEL) KERNEL(clear_padding)(some, end - begin, b->columns - first);
    }
}

static void KERNEL(batchnorm_backward)(const fathom_arguments *arguments, fathom_range range) {
    for (size_t p = range.panel_begin; p < range.panel_end; p++) backward_panel(&arguments->batchnorm_backward, p);
}
