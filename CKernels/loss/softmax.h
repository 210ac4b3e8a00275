// Softmax and its cross-entropy. Operation for operation reference/softmax.c.
//
// With m the largest of a row, exp(y − m) never overflows, and its sum S (float64: lanes chain over the panels, then join in a tree) is at
// least 1. The loss is log1p(S − 1) + (m − y[class]), so that a confident row's is kept down to 10⁻¹⁶, and so is its gradient,
// (exp(y[class] − m) − S)/S at the class. A NaN or an infinity of the wrong sign makes S NaN, and with it the whole row. With label smoothing or class
// weights both are as reference/softmax.c has them.
//
// Sixteen rows go through a panel together: their lines are neighbours, while a row's own lines lie 64·rows bytes apart, for usual batches
// all in one set of the first-level cache. (Row by row, 128 × 1000 took 2.3 times as long with AVX-512, 1.5 times with AVX2.)
//
// Needs loss/elementwise.h.

enum { SOFTMAX_ROWS = 16 };

// Rows of logits of `columns` columns, and where their exponentials go (NULL: nowhere).
typedef struct softmax_rows {
    const float *y;
    size_t y_stride;
    float *e;
    size_t e_stride;
    size_t rows, columns;  // at most SOFTMAX_ROWS
} softmax_rows;

// NaN may pass or not: the sum shows it.
INLINE vf either_larger(vf a, vf b) { return vf_select(a > b, a, b); }

INLINE float largest_lane(vf *lanes) {
    UNROLL for (int q = 1; q < VECTORS; q++) lanes[0] = either_larger(lanes[q], lanes[0]);
    float largest = lanes[0][0];
    UNROLL for (int i = 1; i < LANES; i++) largest = lanes[0][i] > largest ? lanes[0][i] : largest;
    return largest;
}

// One panel, `live` of whose lanes are columns.
INLINE void larger_of_panel(const softmax_rows *s, size_t panel, size_t live, vf largest[SOFTMAX_ROWS][VECTORS]) {
    for (size_t i = 0; i < s->rows; i++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf y = vf_load(s->y + panel * s->y_stride + i * FATHOM_PANEL + q * LANES);
        largest[i][q] = either_larger(vf_select(vi_below(q * LANES, live), y, largest[i][q]), largest[i][q]);
    }
}

INLINE void exponentials_of_panel(const softmax_rows *s, size_t panel, size_t live, const float *largest, vd sums[SOFTMAX_ROWS][VECTORS]) {
    for (size_t i = 0; i < s->rows; i++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf e = vf_exp(vf_load(s->y + panel * s->y_stride + i * FATHOM_PANEL + q * LANES) - largest[i]);
        e = vf_select(vi_below(q * LANES, live), e, vf_set(0));
        sums[i][q] += vf_to_double(e);
        if (s->e) vf_store(s->e + panel * s->e_stride + i * FATHOM_PANEL + q * LANES, e);
    }
}

// Padding lanes hold zeros, and stay so where the factor is NaN.
INLINE void scale_panel(const softmax_rows *s, size_t panel, size_t live, const float *factor) {
    for (size_t i = 0; i < s->rows; i++) UNROLL for (int q = 0; q < VECTORS; q++) {
        float *e = s->e + panel * s->e_stride + i * FATHOM_PANEL + q * LANES;
        vf_store(e, vf_select(vi_below(q * LANES, live), vf_load(e) * factor[i], vf_set(0)));
    }
}

INLINE void largest_of_rows(const softmax_rows *s, float result[SOFTMAX_ROWS]) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL;
    vf largest[SOFTMAX_ROWS][VECTORS];
    for (size_t i = 0; i < s->rows; i++) UNROLL for (int q = 0; q < VECTORS; q++) largest[i][q] = vf_set(-__builtin_inff());
    for (size_t p = 0; p < whole; p++) larger_of_panel(s, p, FATHOM_PANEL, largest);
    if (rest) larger_of_panel(s, whole, rest, largest);
    for (size_t i = 0; i < s->rows; i++) result[i] = largest_lane(largest[i]);
}

INLINE void exponentials(const softmax_rows *s, const float *largest, double result[SOFTMAX_ROWS]) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL;
    vd sums[SOFTMAX_ROWS][VECTORS] = {0};
    for (size_t p = 0; p < whole; p++) exponentials_of_panel(s, p, FATHOM_PANEL, largest, sums);
    if (rest) exponentials_of_panel(s, whole, rest, largest, sums);
    for (size_t i = 0; i < s->rows; i++) result[i] = vd_tree16(sums[i]);
}

INLINE void scale_exponentials(const softmax_rows *s, const float *factor) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL;
    for (size_t p = 0; p < whole; p++) scale_panel(s, p, FATHOM_PANEL, factor);
    if (rest) scale_panel(s, whole, rest, factor);
}

static void KERNEL(softmax)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_softmax_arguments *a = &arguments->softmax;
    for (size_t r = range.row_begin; r < range.row_end; r += SOFTMAX_ROWS) {
        size_t rows = range.row_end - r < SOFTMAX_ROWS ? range.row_end - r : SOFTMAX_ROWS;
        softmax_rows s = {a->y + r * FATHOM_PANEL, a->y_stride, a->p + r * FATHOM_PANEL, a->p_stride, rows, a->columns};
        float largest[SOFTMAX_ROWS], factor[SOFTMAX_ROWS];
        double sum[SOFTMAX_ROWS];
        largest_of_rows(&s, largest);
        exponentials(&s, largest, sum);
        for (size_t i = 0; i < rows; i++) factor[i] = (float)(1 / sum[i]);
        scale_exponentials(&s, factor);
    }
}

INLINE size_t place_of_class(int32_t class, size_t stride, size_t row) {
    return (size_t)class / FATHOM_PANEL * stride + row * FATHOM_PANEL + (size_t)class % FATHOM_PANEL;
}

// Label smoothing spreads ε/columns of the weight over all classes, in proportion to theirs.
typedef struct smoothing {
    const float *weights;  // NULL: 1
    double kept, spread, spread_sum;  // 1 − ε, ε/columns, ε/columns·Σ weights
    float spread_scale;
} smoothing;

INLINE vf class_weights_of(const float *weights, size_t column) { return weights ? vf_load(weights + column) : vf_set(1); }

INLINE double total_weight(const fathom_loss_arguments *l) {
    if (!l->class_weights) return (double)l->columns;
    vd sums[VECTORS] = {0};
    for (size_t c = 0; c < l->columns; c += FATHOM_PANEL)
        UNROLL for (int q = 0; q < VECTORS; q++) sums[q] += vf_to_double(vf_load(l->class_weights + c + q * LANES));
    return vd_tree16(sums);
}

INLINE smoothing smoothing_of(const fathom_loss_arguments *l) {
    double spread = (double)l->smoothing / (double)l->columns;
    return (smoothing){l->class_weights, 1 - (double)l->smoothing, spread, l->smoothing != 0 ? spread * total_weight(l) : 0, (float)(spread * l->scale)};
}

INLINE void distances_of_panel(const softmax_rows *s, const float *weights, size_t panel, size_t live, const float *largest, vd sums[SOFTMAX_ROWS][VECTORS]) {
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vl mask = __builtin_convertvector(vi_below(q * LANES, live), vl);
        vd weight = vf_to_double(class_weights_of(weights, panel * FATHOM_PANEL + q * LANES));
        for (size_t i = 0; i < s->rows; i++) {
            vd y = vf_to_double(vf_load(s->y + panel * s->y_stride + i * FATHOM_PANEL + q * LANES));
            sums[i][q] += vd_select(mask, weight * (vd_set(largest[i]) - y), vd_set(0));
        }
    }
}

// Σ_c w(c)·(m − y[c]).
INLINE void weighted_distances(const softmax_rows *s, const float *weights, const float *largest, double result[SOFTMAX_ROWS]) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL;
    vd sums[SOFTMAX_ROWS][VECTORS] = {0};
    for (size_t p = 0; p < whole; p++) distances_of_panel(s, weights, p, FATHOM_PANEL, largest, sums);
    if (rest) distances_of_panel(s, weights, whole, rest, largest, sums);
    for (size_t i = 0; i < s->rows; i++) result[i] = vd_tree16(sums[i]);
}

// dy = e·factor − weight·spread_scale; padding lanes zero.
INLINE void smooth_panel(const softmax_rows *s, const smoothing *h, size_t panel, size_t live, const float *factor) {
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live);
        vf wanted = -(class_weights_of(h->weights, panel * FATHOM_PANEL + q * LANES) * h->spread_scale);
        for (size_t i = 0; i < s->rows; i++) {
            float *e = s->e + panel * s->e_stride + i * FATHOM_PANEL + q * LANES;
            vf_store(e, vf_select(mask, vf_fma(vf_load(e), vf_set(factor[i]), wanted), vf_set(0)));
        }
    }
}

INLINE void smooth_exponentials(const softmax_rows *s, const smoothing *h, const float *factor) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL;
    for (size_t p = 0; p < whole; p++) smooth_panel(s, h, p, FATHOM_PANEL, factor);
    if (rest) smooth_panel(s, h, whole, rest, factor);
}

INLINE void cross_entropy_rows(const fathom_loss_arguments *l, const smoothing *h, size_t begin, size_t rows) {
    softmax_rows s = {l->y + begin * FATHOM_PANEL, l->y_stride, l->dy ? l->dy + begin * FATHOM_PANEL : NULL, l->dy_stride, rows, l->columns};
    const int32_t *classes = l->classes + begin;
    double logit[SOFTMAX_ROWS], kept[SOFTMAX_ROWS], wanted[SOFTMAX_ROWS], sum[SOFTMAX_ROWS], distance[SOFTMAX_ROWS] = {0};
    float largest[SOFTMAX_ROWS], rest[SOFTMAX_ROWS] __attribute__((aligned(64))) = {0}, factor[SOFTMAX_ROWS], gradient[SOFTMAX_ROWS];
    for (size_t i = 0; i < rows; i++) {
        float weight = h->weights ? h->weights[classes[i]] : 1;
        logit[i] = s.y[place_of_class(classes[i], s.y_stride, i)];
        kept[i] = h->kept * weight;
        wanted[i] = h->spread * weight;
    }
    largest_of_rows(&s, largest);
    if (l->smoothing != 0) weighted_distances(&s, h->weights, largest, distance);
    exponentials(&s, largest, sum);
    for (size_t i = 0; i < rows; i++) rest[i] = (float)(sum[i] - 1);
    UNROLL for (int q = 0; q < VECTORS; q++) vf_store(rest + q * LANES, vf_log1p(vf_load(rest + q * LANES)));
    for (size_t i = 0; i < rows; i++)
        l->row_loss[begin + i] = (kept[i] + h->spread_sum) * rest[i] + kept[i] * (largest[i] - logit[i]) + h->spread * distance[i];
    if (!s.e) return;
    for (size_t i = 0; i < rows; i++) {
        double exact = l->scale / sum[i], e = s.e[place_of_class(classes[i], s.e_stride, i)];
        factor[i] = (float)((kept[i] + h->spread_sum) * exact);
        gradient[i] = (float)((kept[i] * (e - sum[i]) + h->spread_sum * e) * exact - wanted[i] * l->scale);
    }
    if (l->smoothing != 0) smooth_exponentials(&s, h, factor);
    else scale_exponentials(&s, factor);
    for (size_t i = 0; i < rows; i++) s.e[place_of_class(classes[i], s.e_stride, i)] = gradient[i];
}

static void KERNEL(softmax_cross_entropy)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_loss_arguments *l = &arguments->loss;
    smoothing h = smoothing_of(l);
    for (size_t r = range.row_begin, stop; r < range.row_end; r = stop) {
        stop = least(r + TOLD_ROWS, range.row_end);
        for (size_t begin = r; begin < stop; begin += SOFTMAX_ROWS) cross_entropy_rows(l, &h, begin, least(SOFTMAX_ROWS, stop - begin));
        if (l->blocks.sums) KERNEL(tell_rows)(l, r, stop);
    }
}
