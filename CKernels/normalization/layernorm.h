// Layer and RMS normalization: forward, backward, and the gradients of gain and bias. Operation for operation reference/layernorm.c.
//
// Rows are taken in chunks of up to 16, which go through every pass together, so that the ends of their sums overlap. Within a pass a few rows go
// through all panels at a time, so many that 8 chains of additions hide each other's latency. The first pass copies a chunk side by side, where it
// fits: a row's own lines lie 64·rows bytes apart, for usual batches all in one set of the first-level cache, and would not last to the next pass.
// (Row group by row group and without the copy, forward and backward took 1.4 and 1.5 times as long for 128 × 512 with AVX2, 1.4 and 1.3 times for
// 128 × 64; with the copy in a pass of its own, 1.1 times.)
// Needs elementwise/activation.h and gemm/product.h.

enum {
    LAYERNORM_BLOCK = 64,                             // panels of a float32 sum
    LAYERNORM_ROWS = LANES / 2,                       // rows that go together where one sum is made of each
    LAYERNORM_BACKWARD_ROWS = LANES / 4,              // and where two are
    LAYERNORM_GRADIENT_PANELS = LANES == 16 ? 4 : 2,  // panels that go together
    LAYERNORM_CHUNK = 16,                             // rows of a chunk, or half: of fewer rows in each panel, their neighbours are fetched too often
    LAYERNORM_LINES = 256,                            // rows × panels of copies: half of a first-level cache
    LAYERNORM_FAR = 4096,                             // lines of a matrix from which on what the forward pass left is no longer in the second-level cache
    LAYERNORM_WAYS = 4,                               // panels that a set of the cache holds beside what is written: no copy is needed
};
_Static_assert(LAYERNORM_CHUNK == FATHOM_PANEL, "a chunk is a block");

// Some rows of a matrix, where they are or in their copy.
typedef struct row_chunk {
    const float *m;
    size_t stride, rows, columns;
    float *copy;  // where a pass puts them, [panels][rows][16]; NULL: nowhere
} row_chunk;

// Rows of a chunk: the most whose copy `lines` hold, or half of them; where neither fits, or no copy is needed, the most, and no copy.
INLINE size_t chunk_rows(size_t columns, size_t lines, float **copy) {
    size_t panels = fathom_panels(columns);
    bool copies = panels > LAYERNORM_WAYS && panels * LAYERNORM_CHUNK / 2 <= lines;
    if (!copies) *copy = NULL;
    return copies && panels * LAYERNORM_CHUNK > lines ? LAYERNORM_CHUNK / 2 : LAYERNORM_CHUNK;
}

// The chunk for the next pass.
INLINE row_chunk passed(row_chunk c) { return c.copy ? (row_chunk){c.copy, c.rows * FATHOM_PANEL, c.rows, c.columns, NULL} : c; }

// Vector q of row i in panel p, which is copied on the way where the pass copies.
INLINE vf chunk_load(const row_chunk *c, size_t i, size_t p, int q) {
    vf a = vf_load(c->m + p * c->stride + i * FATHOM_PANEL + q * LANES);
    if (c->copy) vf_store(c->copy + (p * c->rows + i) * FATHOM_PANEL + q * LANES, a);
    return a;
}

// x − centre of a panel's rows joins the lanes' chains, or its square.
INLINE void add_panel(const row_chunk *x, size_t i, size_t p, size_t live, int rows, const float *centre, bool squared, vf *chains) {
    UNROLL for (int j = 0; j < rows; j++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf d = chunk_load(x, i + j, p, q) - centre[i + j], *chain = &chains[j * VECTORS + q];
        if (live < FATHOM_PANEL) d = vf_select(vi_below(q * LANES, live), d, vf_set(0));
        *chain = squared ? vf_fma(d, d, *chain) : *chain + d;
    }
}

INLINE void sum_rows(const row_chunk *x, size_t i, int rows, const float *centre, bool squared, double *sums) {
    size_t whole = x->columns / FATHOM_PANEL, panels = fathom_panels(x->columns);
    UNROLL for (int j = 0; j < rows; j++) sums[i + j] = 0;
    for (size_t block = 0; block < panels; block += LAYERNORM_BLOCK) {
        vf chains[LAYERNORM_ROWS * VECTORS];
        UNROLL for (int j = 0; j < rows * VECTORS; j++) chains[j] = vf_set(0);
        size_t end = least(block + LAYERNORM_BLOCK, panels), p = block;
        for (; p < least(end, whole); p++) add_panel(x, i, p, FATHOM_PANEL, rows, centre, squared, chains);
        if (p < end) add_panel(x, i, p, x->columns % FATHOM_PANEL, rows, centre, squared, chains);
        UNROLL for (int j = 0; j < rows; j++) sums[i + j] += vf_tree16(chains + j * VECTORS);
    }
}

// Σ (x − centre) of each row, or Σ (x − centre)².
INLINE void sum_chunk(const row_chunk *x, const float *centre, bool squared, double *sums) {
    size_t i = 0;
    for (; i + LAYERNORM_ROWS <= x->rows; i += LAYERNORM_ROWS) sum_rows(x, i, LAYERNORM_ROWS, centre, squared, sums);
    for (; i < x->rows; i++) sum_rows(x, i, 1, centre, squared, sums);
}

INLINE void normalize_panel(const fathom_layernorm_forward_arguments *a, const row_chunk *x, float *z, size_t p, size_t live, const float *mean,
                            const float *rstd, bool rectify) {
    vf gain[VECTORS], bias[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) {
        gain[q] = vf_load_or(a->gain, p * FATHOM_PANEL + q * LANES, 1);
        bias[q] = vf_load_or(a->bias, p * FATHOM_PANEL + q * LANES, 0);
    }
    for (size_t i = 0; i < x->rows; i++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf normalized = vf_fma((chunk_load(x, i, p, q) - mean[i]) * rstd[i], gain[q], bias[q]);
        if (live < FATHOM_PANEL) normalized = vf_select(vi_below(q * LANES, live), normalized, vf_set(0));
        vf_store(z + i * FATHOM_PANEL + q * LANES, rectify ? relu(normalized) : normalized);
    }
}

INLINE void normalize_chunk(const fathom_layernorm_forward_arguments *a, const row_chunk *x, size_t r, const float *mean, const float *rstd,
                            bool rectify) {
    size_t whole = a->columns / FATHOM_PANEL, live = a->columns % FATHOM_PANEL, stride = a->slope ? a->slope_stride : a->y_stride;
    float *z = (a->slope ? a->slope : a->y) + r * FATHOM_PANEL;
    for (size_t p = 0; p < whole; p++) normalize_panel(a, x, z + p * stride, p, FATHOM_PANEL, mean, rstd, rectify);
    if (live) normalize_panel(a, x, z + whole * stride, whole, live, mean, rstd, rectify);
}

INLINE void layernorm_chunk(const fathom_layernorm_forward_arguments *a, size_t r, row_chunk x) {
    double share = 1 / (double)a->columns, sums[LAYERNORM_CHUNK] = {0};
    float mean[LAYERNORM_CHUNK] = {0}, rstd[LAYERNORM_CHUNK];
    if (a->centered) {
        for (size_t i = 0; i < x.rows; i++) mean[i] = x.m[i * FATHOM_PANEL];
        sum_chunk(&x, mean, false, sums);
        x = passed(x);
        for (int i = 0; i < LAYERNORM_CHUNK; i++) mean[i] = (float)(mean[i] + sums[i] * share);
        for (size_t i = 0; i < x.rows; i++) a->mean[r + i] = mean[i];
    }
    sum_chunk(&x, mean, true, sums);
    x = passed(x);
    for (int i = 0; i < LAYERNORM_CHUNK; i++) rstd[i] = (float)(1 / __builtin_elementwise_sqrt(sums[i] * share + a->epsilon));
    for (size_t i = 0; i < x.rows; i++) a->rstd[r + i] = rstd[i];
    if (a->activation == FATHOM_RELU) normalize_chunk(a, &x, r, mean, rstd, true);
    else normalize_chunk(a, &x, r, mean, rstd, false);
}

static void KERNEL(layernorm_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_forward_arguments *a = &arguments->layernorm_forward;
    float lines[LAYERNORM_LINES * FATHOM_PANEL] __attribute__((aligned(64))), *copy = lines;
    bool in_registers = a->activation == FATHOM_IDENTITY || a->activation == FATHOM_RELU;
    size_t step = chunk_rows(a->columns, LAYERNORM_LINES, &copy);
    for (size_t r = range.row_begin; r < range.row_end; r += step) {
        row_chunk x = {a->x + r * FATHOM_PANEL, a->x_stride, least(step, range.row_end - r), a->columns, copy};
        layernorm_chunk(a, r, x);
        for (size_t p = 0; !in_registers && p < fathom_panels(a->columns); p++) {
            float *y = a->y + p * a->y_stride + r * FATHOM_PANEL, *slope = a->slope ? a->slope + p * a->slope_stride + r * FATHOM_PANEL : NULL;
            if (slope) KERNEL(activate_saving)(a->activation, slope, y, slope, FATHOM_PANEL * x.rows);
            else KERNEL(activate)(a->activation, a->parameter, y, y, FATHOM_PANEL * x.rows);
        }
    }
}

// d = dy·gain and d·(x − mean) of a panel's rows join the lanes' chains.
INLINE void add_panel_backward(const row_chunk *x, const row_chunk *dy, const float *gain, const float *mean, size_t i, size_t p, size_t live, int rows,
                               vf *chains, vf *products) {
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vf factor = vf_load_or(gain, p * FATHOM_PANEL + q * LANES, 1);
        UNROLL for (int j = 0; j < rows; j++) {
            vf d = chunk_load(dy, i + j, p, q) * factor, distance = chunk_load(x, i + j, p, q) - mean[i + j];
            if (live < FATHOM_PANEL) {
                d = vf_select(vi_below(q * LANES, live), d, vf_set(0));
                distance = vf_select(vi_below(q * LANES, live), distance, vf_set(0));
            }
            chains[j * VECTORS + q] += d;
            products[j * VECTORS + q] = vf_fma(d, distance, products[j * VECTORS + q]);
        }
    }
}

// Σ d and Σ d·(x − mean) of each row.
INLINE void sum_rows_backward(const row_chunk *x, const row_chunk *dy, const float *gain, const float *mean, size_t i, int rows, double *of_d,
                              double *of_product) {
    size_t whole = x->columns / FATHOM_PANEL, panels = fathom_panels(x->columns);
    UNROLL for (int j = 0; j < rows; j++) of_d[i + j] = of_product[i + j] = 0;
    for (size_t block = 0; block < panels; block += LAYERNORM_BLOCK) {
        vf chains[LAYERNORM_BACKWARD_ROWS * VECTORS], products[LAYERNORM_BACKWARD_ROWS * VECTORS];
        UNROLL for (int j = 0; j < rows * VECTORS; j++) chains[j] = products[j] = vf_set(0);
        size_t end = least(block + LAYERNORM_BLOCK, panels), p = block;
        for (; p < least(end, whole); p++) add_panel_backward(x, dy, gain, mean, i, p, FATHOM_PANEL, rows, chains, products);
        if (p < end) add_panel_backward(x, dy, gain, mean, i, p, x->columns % FATHOM_PANEL, rows, chains, products);
        UNROLL for (int j = 0; j < rows; j++) {
            of_d[i + j] += vf_tree16(chains + j * VECTORS);
            of_product[i + j] += vf_tree16(products + j * VECTORS);
        }
    }
}

INLINE void layernorm_backward_chunk(const fathom_layernorm_backward_arguments *b, size_t r, row_chunk x, row_chunk dy) {
    float mean[LAYERNORM_CHUNK] = {0}, rstd[LAYERNORM_CHUNK] = {0}, mean_d[LAYERNORM_CHUNK], rate[LAYERNORM_CHUNK];
    double share = 1 / (double)b->columns, of_d[LAYERNORM_CHUNK] = {0}, of_product[LAYERNORM_CHUNK] = {0};
    size_t i = 0;
    for (size_t j = 0; j < x.rows; j++) {
        mean[j] = b->centered ? b->mean[r + j] : 0;
        rstd[j] = b->rstd[r + j];
    }
    for (; i + LAYERNORM_BACKWARD_ROWS <= x.rows; i += LAYERNORM_BACKWARD_ROWS)
        sum_rows_backward(&x, &dy, b->gain, mean, i, LAYERNORM_BACKWARD_ROWS, of_d, of_product);
    for (; i < x.rows; i++) sum_rows_backward(&x, &dy, b->gain, mean, i, 1, of_d, of_product);
    for (int j = 0; j < LAYERNORM_CHUNK; j++) {
        mean_d[j] = b->centered ? (float)(of_d[j] * share) : 0;
        rate[j] = -(float)((double)rstd[j] * rstd[j] * of_product[j] * share);
    }
    x = passed(x);
    dy = passed(dy);
    for (size_t p = 0; p < fathom_panels(b->columns); p++) {
        float *dx = b->dx + p * b->dx_stride + r * FATHOM_PANEL;
        vf gain[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) gain[q] = vf_load_or(b->gain, p * FATHOM_PANEL + q * LANES, 1);
        for (size_t j = 0; j < x.rows; j++) UNROLL for (int q = 0; q < VECTORS; q++) {
            vf d = chunk_load(&dy, j, p, q) * gain[q], distance = chunk_load(&x, j, p, q) - mean[j];
            vf_store(dx + j * FATHOM_PANEL + q * LANES, rstd[j] * vf_fma(vf_set(rate[j]), distance, d - mean_d[j]));
        }
    }
}

// The chunks of 16 rows go through the activation together, panel by panel.
INLINE void layernorm_backward_strip(const fathom_layernorm_backward_arguments *b, size_t row, size_t rows) {
    size_t panels = fathom_panels(b->columns), live = b->columns % FATHOM_PANEL;
    bool is_far = b->rows * panels >= LAYERNORM_FAR;
    for (size_t p = 0; p < panels; p++) {
        float *dx = b->dx + p * b->dx_stride + row * FATHOM_PANEL;
        const float *saved = b->saved ? b->saved + p * b->saved_stride + row * FATHOM_PANEL : NULL;
        fathom_signal_blocks blocks = fathom_signal_blocks_from(b->blocks, p, row);
        if (saved && is_far && p + 2 < panels)  // in each panel the hardware sees but 16 lines, and not where the next ones are
            for (size_t r = 0; r < rows; r++) __builtin_prefetch(saved + 2 * b->saved_stride + r * FATHOM_PANEL);
        KERNEL(activate_backward)(b->activation, b->parameter, saved, dx, dx, FATHOM_PANEL * rows, blocks, b->columns - p * FATHOM_PANEL);
    }
    if (live) KERNEL(clear_padding)(b->dx + (panels - 1) * b->dx_stride + row * FATHOM_PANEL, rows, live);
}

static void KERNEL(layernorm_backward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_backward_arguments *b = &arguments->layernorm_backward;
    float lines[LAYERNORM_LINES * FATHOM_PANEL] __attribute__((aligned(64))), *copy = lines;
    size_t step = chunk_rows(b->columns, LAYERNORM_LINES / 2, &copy);
    float *second = copy ? copy + LAYERNORM_LINES / 2 * FATHOM_PANEL : NULL;
    for (size_t row = range.row_begin; row < range.row_end; row += LAYERNORM_CHUNK) {
        size_t end = least(row + LAYERNORM_CHUNK, range.row_end);
        for (size_t r = row; r < end; r += step) {
            size_t rows = least(step, end - r);
            row_chunk x = {b->x + r * FATHOM_PANEL, b->x_stride, rows, b->columns, copy};
            row_chunk dy = {b->dy + r * FATHOM_PANEL, b->dy_stride, rows, b->columns, second};
            layernorm_backward_chunk(b, r, x, dy);
        }
        layernorm_backward_strip(b, row, end - row);
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
