// Layer and RMS normalization: forward, backward, and the gradients of gain and bias. Operation for operation reference/layernorm.c.
//
// A few rows go through all panels together, so many that 8 chains of additions hide each other's latency; once for the mean, once for the variance,
// once to normalize. Sixteen rows are done before the activation runs over them, panel by panel.
// Needs elementwise/activation.h and gemm/product.h.

enum {
    LAYERNORM_BLOCK = 64,                             // panels of a float32 sum
    LAYERNORM_ROWS = LANES / 2,                       // rows that go together where one sum is made of each
    LAYERNORM_BACKWARD_ROWS = LANES / 4,              // and where two are
    LAYERNORM_GRADIENT_PANELS = LANES == 16 ? 4 : 2,  // panels that go together
};

// x − centre of a panel's rows joins the lanes' chains, or its square.
INLINE void add_panel(const float *x, size_t live, int rows, const float *centre, bool squared, vf *lanes) {
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf d = vf_load(x + i * FATHOM_PANEL + q * LANES) - centre[i];
        if (live < FATHOM_PANEL) d = vf_select(vi_below(q * LANES, live), d, vf_set(0));
        vf *chain = &lanes[i * VECTORS + q];
        *chain = squared ? vf_fma(d, d, *chain) : *chain + d;
    }
}

INLINE void sum_rows(const float *x, size_t stride, size_t columns, int rows, const float *centre, bool squared, double *sums) {
    size_t whole = columns / FATHOM_PANEL, panels = fathom_panels(columns);
    UNROLL for (int i = 0; i < rows; i++) sums[i] = 0;
    for (size_t block = 0; block < panels; block += LAYERNORM_BLOCK) {
        vf lanes[LAYERNORM_ROWS * VECTORS];
        UNROLL for (int j = 0; j < rows * VECTORS; j++) lanes[j] = vf_set(0);
        size_t end = least(block + LAYERNORM_BLOCK, panels);
        for (size_t p = block; p < least(end, whole); p++) add_panel(x + p * stride, FATHOM_PANEL, rows, centre, squared, lanes);
        if (end > whole) add_panel(x + whole * stride, columns % FATHOM_PANEL, rows, centre, squared, lanes);
        UNROLL for (int i = 0; i < rows; i++) sums[i] += vf_tree16(lanes + i * VECTORS);
    }
}

INLINE void normalize_panel(const fathom_layernorm_forward_arguments *a, size_t r, size_t p, size_t live, int rows, const float *mean, const float *rstd,
                            bool rectify) {
    const float *x = a->x + p * a->x_stride + r * FATHOM_PANEL;
    float *z = a->z ? a->z + p * a->z_stride + r * FATHOM_PANEL : a->y + p * a->y_stride + r * FATHOM_PANEL;
    UNROLL for (int q = 0; q < VECTORS; q++) {
        size_t at = q * LANES;
        vf gain = vf_load_or(a->gain, p * FATHOM_PANEL + at, 1), bias = vf_load_or(a->bias, p * FATHOM_PANEL + at, 0);
        UNROLL for (int i = 0; i < rows; i++) {
            vf normalized = vf_fma((vf_load(x + i * FATHOM_PANEL + at) - mean[i]) * rstd[i], gain, bias);
            if (live < FATHOM_PANEL) normalized = vf_select(vi_below(at, live), normalized, vf_set(0));
            vf_store(z + i * FATHOM_PANEL + at, rectify ? relu(normalized) : normalized);
        }
    }
}

INLINE void normalize_rows(const fathom_layernorm_forward_arguments *a, size_t r, int rows, const float *mean, const float *rstd, bool rectify) {
    size_t whole = a->columns / FATHOM_PANEL, live = a->columns % FATHOM_PANEL;
    for (size_t p = 0; p < whole; p++) normalize_panel(a, r, p, FATHOM_PANEL, rows, mean, rstd, rectify);
    if (live) normalize_panel(a, r, whole, live, rows, mean, rstd, rectify);
}

INLINE void layernorm_rows(const fathom_layernorm_forward_arguments *a, size_t r, int rows) {
    const float *x = a->x + r * FATHOM_PANEL;
    double share = 1 / (double)a->columns, sums[LAYERNORM_ROWS];
    float mean[LAYERNORM_ROWS] = {0}, rstd[LAYERNORM_ROWS];
    if (a->centered) {
        UNROLL for (int i = 0; i < rows; i++) mean[i] = x[i * FATHOM_PANEL];
        sum_rows(x, a->x_stride, a->columns, rows, mean, false, sums);
        UNROLL for (int i = 0; i < rows; i++) a->mean[r + i] = mean[i] = (float)(mean[i] + sums[i] * share);
    }
    sum_rows(x, a->x_stride, a->columns, rows, mean, true, sums);
    UNROLL for (int i = 0; i < rows; i++) a->rstd[r + i] = rstd[i] = (float)(1 / __builtin_elementwise_sqrt(sums[i] * share + a->epsilon));
    if (!a->z && a->activation == FATHOM_RELU) normalize_rows(a, r, rows, mean, rstd, true);
    else normalize_rows(a, r, rows, mean, rstd, false);
}

static void KERNEL(layernorm_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_forward_arguments *a = &arguments->layernorm_forward;
    bool in_registers = a->activation == FATHOM_IDENTITY || a->activation == FATHOM_RELU;
    for (size_t begin = range.row_begin; begin < range.row_end; begin += 16) {
        size_t end = least(begin + 16, range.row_end), r = begin;
        for (; r + LAYERNORM_ROWS <= end; r += LAYERNORM_ROWS) layernorm_rows(a, r, LAYERNORM_ROWS);
        for (; r < end; r++) layernorm_rows(a, r, 1);
        for (size_t p = 0; (a->z || !in_registers) && p < fathom_panels(a->columns); p++) {
            float *y = a->y + p * a->y_stride + begin * FATHOM_PANEL, *z = a->z ? a->z + p * a->z_stride + begin * FATHOM_PANEL : y;
            KERNEL(activate)(a->activation, a->parameter, z, y, FATHOM_PANEL * (end - begin));
        }
    }
}

// d and d·(x − mean) of a panel's rows join the lanes' chains.
INLINE void add_panel_backward(const fathom_layernorm_backward_arguments *b, size_t r, size_t p, size_t live, int rows, const float *mean, vf *lanes,
                               vf *products) {
    const float *x = b->x + p * b->x_stride + r * FATHOM_PANEL, *dy = b->dy + p * b->dy_stride + r * FATHOM_PANEL;
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vf gain = vf_load_or(b->gain, p * FATHOM_PANEL + q * LANES, 1);
        UNROLL for (int i = 0; i < rows; i++) {
            vf d = vf_load(dy + i * FATHOM_PANEL + q * LANES) * gain, distance = vf_load(x + i * FATHOM_PANEL + q * LANES) - mean[i];
            if (live < FATHOM_PANEL) {
                d = vf_select(vi_below(q * LANES, live), d, vf_set(0));
                distance = vf_select(vi_below(q * LANES, live), distance, vf_set(0));
            }
            lanes[i * VECTORS + q] += d;
            products[i * VECTORS + q] = vf_fma(d, distance, products[i * VECTORS + q]);
        }
    }
}

INLINE void sum_rows_backward(const fathom_layernorm_backward_arguments *b, size_t r, int rows, const float *mean, double *of_d, double *of_product) {
    size_t whole = b->columns / FATHOM_PANEL, panels = fathom_panels(b->columns);
    UNROLL for (int i = 0; i < rows; i++) of_d[i] = of_product[i] = 0;
    for (size_t block = 0; block < panels; block += LAYERNORM_BLOCK) {
        vf lanes[LAYERNORM_BACKWARD_ROWS * VECTORS], products[LAYERNORM_BACKWARD_ROWS * VECTORS];
        UNROLL for (int j = 0; j < rows * VECTORS; j++) lanes[j] = products[j] = vf_set(0);
        size_t end = least(block + LAYERNORM_BLOCK, panels);
        for (size_t p = block; p < least(end, whole); p++) add_panel_backward(b, r, p, FATHOM_PANEL, rows, mean, lanes, products);
        if (end > whole) add_panel_backward(b, r, whole, b->columns % FATHOM_PANEL, rows, mean, lanes, products);
        UNROLL for (int i = 0; i < rows; i++) {
            of_d[i] += vf_tree16(lanes + i * VECTORS);
            of_product[i] += vf_tree16(products + i * VECTORS);
        }
    }
}

INLINE void layernorm_backward_rows(const fathom_layernorm_backward_arguments *b, size_t r, int rows) {
    double share = 1 / (double)b->columns, of_d[LAYERNORM_BACKWARD_ROWS], of_product[LAYERNORM_BACKWARD_ROWS];
    float mean[LAYERNORM_BACKWARD_ROWS], mean_d[LAYERNORM_BACKWARD_ROWS], rate[LAYERNORM_BACKWARD_ROWS];
    const float *rstd = b->rstd + r;
    UNROLL for (int i = 0; i < rows; i++) mean[i] = b->centered ? b->mean[r + i] : 0;
    sum_rows_backward(b, r, rows, mean, of_d, of_product);
    UNROLL for (int i = 0; i < rows; i++) {
        mean_d[i] = b->centered ? (float)(of_d[i] * share) : 0;
        rate[i] = -(float)((double)rstd[i] * rstd[i] * of_product[i] * share);
    }
    for (size_t p = 0; p < fathom_panels(b->columns); p++) {
        const float *x = b->x + p * b->x_stride + r * FATHOM_PANEL, *dy = b->dy + p * b->dy_stride + r * FATHOM_PANEL;
        float *dx = b->dx + p * b->dx_stride + r * FATHOM_PANEL;
        UNROLL for (int q = 0; q < VECTORS; q++) {
            vf gain = vf_load_or(b->gain, p * FATHOM_PANEL + q * LANES, 1);
            UNROLL for (int i = 0; i < rows; i++) {
                size_t at = i * FATHOM_PANEL + q * LANES;
                vf rest = vf_fma(vf_set(rate[i]), vf_load(x + at) - mean[i], vf_load(dy + at) * gain - mean_d[i]);
                vf_store(dx + at, rstd[i] * rest);
            }
        }
    }
}

static void KERNEL(layernorm_backward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_backward_arguments *b = &arguments->layernorm_backward;
    size_t panels = fathom_panels(b->columns), live = b->columns % FATHOM_PANEL;
    for (size_t begin = range.row_begin; begin < range.row_end; begin += 16) {
        size_t end = least(begin + 16, range.row_end), r = begin;
        for (; r + LAYERNORM_BACKWARD_ROWS <= end; r += LAYERNORM_BACKWARD_ROWS) layernorm_backward_rows(b, r, LAYERNORM_BACKWARD_ROWS);
        for (; r < end; r++) layernorm_backward_rows(b, r, 1);
        for (size_t p = 0; b->activation != FATHOM_IDENTITY && p < panels; p++) {
            float *dx = b->dx + p * b->dx_stride + begin * FATHOM_PANEL;
            const float *saved = b->saved + p * b->saved_stride + begin * FATHOM_PANEL;
            KERNEL(activate_backward)(b->activation, b->parameter, saved, dx, dx, FATHOM_PANEL * (end - begin));
        }
        if (live) KERNEL(clear_padding)(b->dx + (panels - 1) * b->dx_stride + begin * FATHOM_PANEL, end - begin, live);
    }
}

// The sums of `panels` neighbouring panels.
INLINE void gradient_panels(const fathom_layernorm_gradient_arguments *g, size_t panel, int panels) {
    const float *x = g->x + panel * g->x_stride, *dy = g->dy + panel * g->dy_stride;
    float *dgain = g->dgain ? g->dgain + panel * FATHOM_PANEL : NULL, *dbias = g->dbias ? g->dbias + panel * FATHOM_PANEL : NULL;
    vf of_gain[LAYERNORM_GRADIENT_PANELS * VECTORS], of_bias[LAYERNORM_GRADIENT_PANELS * VECTORS];
    UNROLL for (int j = 0; j < panels * VECTORS; j++) {
        of_gain[j] = vf_load_or(g->accumulate ? dgain : NULL, j * LANES, 0);
        of_bias[j] = vf_load_or(g->accumulate ? dbias : NULL, j * LANES, 0);
    }
    for (size_t r = 0; r < g->rows; r++) {
        float mean = g->mean ? g->mean[r] : 0, rstd = g->rstd[r];
        UNROLL for (int j = 0; j < panels * VECTORS; j++) {
            size_t panel_of = j / VECTORS, at = r * FATHOM_PANEL + j % VECTORS * LANES;
            vf d = vf_load(dy + panel_of * g->dy_stride + at);
            of_gain[j] = vf_fma(d, (vf_load(x + panel_of * g->x_stride + at) - mean) * rstd, of_gain[j]);
            of_bias[j] += d;
        }
    }
    UNROLL for (int j = 0; j < panels * VECTORS; j++) {
        if (dgain) vf_store(dgain + j * LANES, of_gain[j]);
        if (dbias) vf_store(dbias + j * LANES, of_bias[j]);
    }
}

static void KERNEL(layernorm_gradient)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_gradient_arguments *g = &arguments->layernorm_gradient;
    size_t panel = range.panel_begin, last = range.panel_end - 1, live = g->columns - FATHOM_PANEL * last;
    for (; panel + LAYERNORM_GRADIENT_PANELS <= range.panel_end; panel += LAYERNORM_GRADIENT_PANELS) gradient_panels(g, panel, LAYERNORM_GRADIENT_PANELS);
    for (; panel < range.panel_end; panel++) gradient_panels(g, panel, 1);
    if (live < FATHOM_PANEL && g->dgain) KERNEL(clear_padding)(g->dgain + last * FATHOM_PANEL, 1, live);
    if (live < FATHOM_PANEL && g->dbias) KERNEL(clear_padding)(g->dbias + last * FATHOM_PANEL, 1, live);
}
