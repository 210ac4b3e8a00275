// The inner product of two matrices, panel by panel, in float64. Operation for operation reference/reduce.c: blocks and tree as in squared_norm.h.
// The product of two floats is exact in float64, so its addition may be fused or not: the bits are the same. Padding lanes count nothing.

#ifdef EMULATE_FMA
INLINE vd add_product(vd sum, vd x, vd y) { return sum + x * y; }
#else
INLINE vd add_product(vd sum, vd x, vd y) { return __builtin_elementwise_fma(x, y, sum); }
#endif

INLINE double block_products(const float *a, const float *b, size_t rows, const vi live[VECTORS]) {
    vd lanes[VECTORS] = {0};
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int q = 0; q < VECTORS; q++) {
            size_t at = r * FATHOM_PANEL + q * LANES;
            vf x = vf_where(live[q], vf_load(a + at)), y = vf_where(live[q], vf_load(b + at));
            lanes[q] = add_product(lanes[q], vf_to_double(x), vf_to_double(y));
        }
    return vd_tree16(lanes);
}

static void KERNEL(dot)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_dot_arguments *d = &arguments->dot;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *a = d->a + p * d->a_stride, *b = d->b + p * d->b_stride;
        double sum = 0;
        size_t r = 0;
        vi live[VECTORS];
        vi_live(live, p, d->columns);
        for (; r + FATHOM_PANEL <= d->rows; r += FATHOM_PANEL) sum += block_products(a + r * FATHOM_PANEL, b + r * FATHOM_PANEL, FATHOM_PANEL, live);
        if (r < d->rows) sum += block_products(a + r * FATHOM_PANEL, b + r * FATHOM_PANEL, d->rows - r, live);
        d->sums[p] = sum;
    }
}
