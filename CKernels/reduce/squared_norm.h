// Sums of squares of panels in float64. Operation for operation reference/reduce.c: per block of 16 rows a chain down each lane, the lanes in a tree.
// The square of a float is exact in float64, so its addition may be fused or not: the bits are the same.

#ifdef EMULATE_FMA
INLINE vd add_square(vd sum, vd x) { return sum + x * x; }
#else
INLINE vd add_square(vd sum, vd x) { return __builtin_elementwise_fma(x, x, sum); }
#endif

INLINE double block_squares(const float *g, size_t rows, vf limit, bool limited) {
    vd lanes[VECTORS] = {0};
    for (size_t r = 0; r < rows; r++) {
        UNROLL for (int q = 0; q < VECTORS; q++) {
            vf x = vf_load(g + r * FATHOM_PANEL + q * LANES);
            if (limited) x = vf_select(x > limit, limit, vf_select(x < -limit, -limit, x));
            lanes[q] = add_square(lanes[q], vf_to_double(x));
        }
    }
    return vd_tree16(lanes);
}

INLINE double panel_squares(const float *g, size_t rows, vf limit, bool limited) {
    double sum = 0;
    size_t r = 0;
    for (; r + FATHOM_PANEL <= rows; r += FATHOM_PANEL) sum += block_squares(g + r * FATHOM_PANEL, FATHOM_PANEL, limit, limited);
    if (r < rows) sum += block_squares(g + r * FATHOM_PANEL, rows - r, limit, limited);
    return sum;
}

static void KERNEL(squared_norm)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_squared_norm_arguments *s = &arguments->squared_norm;
    vf limit = vf_set(s->clip_value);
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *g = s->g + p * s->g_stride;
        s->sums[p] = s->squares ? fathom_sum_of_blocks(s, p) : panel_squares(g, s->rows, limit, false);
        if (s->clip_value < __builtin_inff()) s->clipped_sums[p] = panel_squares(g, s->rows, limit, true);
    }
}
