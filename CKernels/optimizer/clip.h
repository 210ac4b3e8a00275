// Clipping in place: of values, of tensors, of output units. Operation for operation reference/clip.c. Bound by memory: 8 bytes an element, and what
// the norms read; where nothing is above its bound, nothing is written.

static void KERNEL(clip_values)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_clip_values_arguments *c = &arguments->clip_values;
    vf factor = vf_set(c->factor ? *c->factor : 1), limit = vf_set(c->limit);
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES)
        vf_store(c->g + i, clipped(vf_load(c->g + i), factor, limit));
}

static void KERNEL(clip_tensor)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_clip_tensor_arguments *c = &arguments->clip_tensor;
    double sum = 0;
    for (size_t p = 0; p < c->panels; p++) sum += c->sums[p];
    double norm = __builtin_sqrt(sum);
    if (!(norm > c->limit)) return;
    vf factor = vf_set((float)(c->limit / norm));
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES) vf_store(c->g + i, vf_load(c->g + i) * factor);
}

// Adds the squares of a panel's columns to 16 sums.
INLINE void add_squares(vd sums[VECTORS], const float *panel, size_t rows) {
    vd lanes[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) lanes[q] = sums[q];
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int q = 0; q < VECTORS; q++) lanes[q] = add_square(lanes[q], vf_to_double(vf_load(panel + r * FATHOM_PANEL + q * LANES)));
    UNROLL for (int q = 0; q < VECTORS; q++) sums[q] = lanes[q];
}

INLINE void spread(vd sums[VECTORS]) {
    vd total = vd_set(vd_tree16(sums));
    UNROLL for (int q = 0; q < VECTORS; q++) sums[q] = total;
}

// The factors of 16 units; whether any is not 1.
INLINE bool unit_factors(const fathom_clip_units_arguments *u, const vd g[VECTORS], const vd w[VECTORS], vf factors[VECTORS]) {
    bool any = false;
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vd norm = vd_sqrt(g[q]), limit = vd_set(u->limit), floor = vd_set(u->floor), size = vd_sqrt(w[q]);
        if (u->w) limit *= vd_select(size > floor, size, floor);
        vl above = norm > limit;
        factors[q] = vd_to_float(vd_select(above, limit / norm, vd_set(1)));
        UNROLL for (int i = 0; i < LANES; i++) any |= above[i] != 0;
    }
    return any;
}

static void KERNEL(clip_units)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_clip_units_arguments *u = &arguments->clip_units;
    // a group of panels whose columns are clipped together
    size_t group = u->whole ? fathom_panels(u->columns) : 1, end = u->whole ? group : range.panel_end;
    for (size_t p = range.panel_begin; p < end; p += group) {
        vd g[VECTORS] = {0}, w[VECTORS] = {0};
        vf factors[VECTORS];
        for (size_t q = p; q < p + group; q++) {
            add_squares(g, u->g + q * u->g_stride, u->rows);
            if (u->w) add_squares(w, u->w + q * u->w_stride, u->rows);
        }
        if (u->whole) {
            spread(g);
            spread(w);
        }
        if (!unit_factors(u, g, w, factors)) continue;
        for (size_t q = p; q < p + group; q++) {
            float *panel = u->g + q * u->g_stride;
            for (size_t r = 0; r < u->rows; r++)
                UNROLL for (int v = 0; v < VECTORS; v++) {
                    float *x = panel + r * FATHOM_PANEL + v * LANES;
                    vf_store(x, vf_load(x) * factors[v]);
                }
        }
    }
}
