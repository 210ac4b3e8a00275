// Residual sums y = a + s·b, whose scale may be a learned one, and constants. Operation for operation reference/elementwise.c; bound by memory: a few
// rows ahead are asked for.

enum { ADD_AHEAD = 32 };  // rows

INLINE void add_scaled(const fathom_add_arguments *a, fathom_range range, bool has_a) {
    vf s = vf_set(a->factor ? a->scale * *a->factor : a->scale);
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, a->columns);
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            __builtin_prefetch(a->y + p * a->y_stride + (r + ADD_AHEAD) * FATHOM_PANEL, 1);
            __builtin_prefetch(a->b + p * a->b_stride + (r + ADD_AHEAD) * FATHOM_PANEL);
            if (has_a) __builtin_prefetch(a->a + p * a->a_stride + (r + ADD_AHEAD) * FATHOM_PANEL);
            UNROLL for (int q = 0; q < VECTORS; q++) {
                size_t at = r * FATHOM_PANEL + q * LANES;
                vf y = s * vf_load(a->b + p * a->b_stride + at);
                if (has_a) y = vf_load(a->a + p * a->a_stride + at) + y;
                vf_store(a->y + p * a->y_stride + at, vf_where(live[q], y));
            }
        }
    }
}

static void KERNEL(add)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_add_arguments *a = &arguments->add;
    if (a->a) add_scaled(a, range, true);
    else add_scaled(a, range, false);
}

static void KERNEL(fill)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_fill_arguments *f = &arguments->fill;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, f->columns);
        for (size_t r = range.row_begin; r < range.row_end; r++)
            UNROLL for (int q = 0; q < VECTORS; q++)
                vf_store(f->y + p * f->y_stride + r * FATHOM_PANEL + q * LANES, vf_where(live[q], vf_set(f->value)));
    }
}
