// Losses that are sums over a row's columns: mean squared and mean absolute error, binary cross-entropy, huber. Operation for operation reference/loss.c.
// Terms are float64 and summed as a row of panels: lanes chain over the panels, then join in a tree. Padding lanes count nothing.

// What one vector of outputs contributes to the loss; *gradient is dloss/dy times scale.
typedef vd loss_term(vf y, vf t, vf unit, vf parameter, vf scale, vf *gradient);

INLINE vd squared_error_term(vf y, vf t, vf unit, vf parameter, vf scale, vf *gradient) {
    (void)parameter;
    vf d = y - t;
    vd e = vf_to_double(d * unit);
    *gradient = d * (scale + scale);
    return e * e;
}

// Where d is neither above nor below zero it is its own sign: 0 or NaN.
INLINE vd absolute_error_term(vf y, vf t, vf unit, vf parameter, vf scale, vf *gradient) {
    (void)parameter;
    vf d = y - t;
    *gradient = vf_select(d > 0, scale, vf_select(d < 0, -scale, d));
    return vf_to_double(vf_abs(d * unit));
}

// Quadratic also where d is NaN, so that its gradient is.
INLINE vd huber_term(vf y, vf t, vf unit, vf delta, vf scale, vf *gradient) {
    vf d = y - t, e = d * unit, size = vf_abs(e), slope = delta / unit;
    vi linear = size > delta;
    *gradient = vf_select(linear, vf_select(d < 0, -slope, slope), d) * scale;
    vd wide = vf_to_double(size), bound = vf_to_double(delta);
    return vd_select(__builtin_convertvector(linear, vl), bound * (wide - 0.5 * bound), 0.5 * wide * wide);
}

// With e = exp(−|y|), sigmoid(−|y|) = e/(1 + e): so neither the loss nor the gradient of a confident output is lost to rounding.
INLINE vd binary_cross_entropy_term(vf y, vf t, vf unit, vf parameter, vf scale, vf *gradient) {
    (void)unit, (void)parameter;
    vf e = vf_exp(-vf_abs(y)), far = e / (1 + e);
    *gradient = vf_select(y < 0, far - t, (1 - t) - far) * scale;
    return vf_to_double(vf_max(y, vf_set(0))) - vf_to_double(y) * vf_to_double(t) + vf_to_double(vf_log1p(e));
}

// Rows begin ..< begin + rows of one panel, `live` of whose lanes are columns. Where the panel is the only one its terms are stored in `sums`, which need not be cleared.
INLINE void terms_of_panel(
    const fathom_loss_arguments *l, loss_term *term, size_t panel, bool is_only, size_t live, size_t begin, size_t rows, vd sums[][VECTORS]) {
    vf parameter = vf_set(l->parameter), scale = vf_set(l->scale);
    const float *y = l->y + panel * l->y_stride + begin * FATHOM_PANEL, *targets = l->targets + panel * l->targets_stride + begin * FATHOM_PANEL;
    float *dy = l->dy ? l->dy + panel * l->dy_stride + begin * FATHOM_PANEL : NULL;
    UNROLL for (int q = 0; q < VECTORS; q++) {
        if ((size_t)q * LANES >= live) {
            for (size_t i = 0; dy && i < rows; i++) vf_store(dy + i * FATHOM_PANEL + q * LANES, vf_set(0));
            for (size_t i = 0; is_only && i < rows; i++) sums[i][q] = vd_set(0);
            continue;
        }
        vi mask = vi_below(q * LANES, live);
        vf unit = l->units ? vf_load(l->units + panel * FATHOM_PANEL + q * LANES) : vf_set(1);
        for (size_t i = 0; i < rows; i++) {
            size_t at = i * FATHOM_PANEL + q * LANES;
            vf gradient;
            vd loss = vd_select(__builtin_convertvector(mask, vl), term(vf_load(y + at), vf_load(targets + at), unit, parameter, scale, &gradient), vd_set(0));
            sums[i][q] = is_only ? loss : sums[i][q] + loss;
            if (dy) vf_store(dy + at, vf_where(mask, gradient));
        }
    }
}

// What there is to tell of outputs in rows begin ..< end, and of their gradients: nothing else is on the way back.
static void KERNEL(tell_rows)(const fathom_loss_arguments *l, size_t begin, size_t end) {
    size_t first = FATHOM_PANEL * begin, count = FATHOM_PANEL * (end - begin);
    for (size_t p = 0; p < fathom_panels(l->columns); p++) {
        float *dy = l->dy + p * l->dy_stride + first;
        activate_backward_blocks(
            FATHOM_IDENTITY, 0, true, l->y + p * l->y_stride + first, dy, dy, count, fathom_signal_blocks_from(l->blocks, p, begin), l->columns - p * FATHOM_PANEL);
    }
}

enum { LOSS_ROWS = 16 };  // that go through a panel together, for the reason given in loss/softmax.h

INLINE void terms_of_rows(const fathom_loss_arguments *l, loss_term *term, size_t begin, size_t rows) {
    size_t whole = l->columns / FATHOM_PANEL, rest = l->columns % FATHOM_PANEL;
    vd sums[LOSS_ROWS][VECTORS];
    if (fathom_panels(l->columns) == 1) terms_of_panel(l, term, 0, true, l->columns, begin, rows, sums);
    else {
        __builtin_memset(sums, 0, sizeof sums);
        for (size_t p = 0; p < whole; p++) terms_of_panel(l, term, p, false, FATHOM_PANEL, begin, rows, sums);
        if (rest) terms_of_panel(l, term, whole, false, rest, begin, rows, sums);
    }
    for (size_t i = 0; i < rows; i++) l->row_loss[begin + i] = vd_tree16(sums[i]);
}

enum { TOLD_ROWS = FATHOM_SIGNAL_ROWS };  // a block, told of while it is in the cache

INLINE void sum_of_terms(const fathom_loss_arguments *l, fathom_range range, loss_term *term) {
    for (size_t r = range.row_begin, stop; r < range.row_end; r = stop) {
        stop = least(r + TOLD_ROWS, range.row_end);
        for (size_t begin = r; begin < stop; begin += LOSS_ROWS) terms_of_rows(l, term, begin, least(LOSS_ROWS, stop - begin));
        if (l->blocks.sums) KERNEL(tell_rows)(l, r, stop);
    }
}

static void KERNEL(mean_squared_error)(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, squared_error_term);
}

static void KERNEL(mean_absolute_error)(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, absolute_error_term);
}

static void KERNEL(binary_cross_entropy)(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, binary_cross_entropy_term);
}

static void KERNEL(huber)(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, huber_term);
}
