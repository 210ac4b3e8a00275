// Panels back to row-major, the inverse of data/gather.h. Nothing is written past the last column of a row.

INLINE void scatter_rows(const fathom_scatter_arguments *s, fathom_range range, bool scaled) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL;
    for (size_t p = 0; p < whole + (rest > 0); p++) {
        size_t live = p < whole ? FATHOM_PANEL : rest;
        float scale[FATHOM_PANEL] __attribute__((aligned(64))) = {0}, offset[FATHOM_PANEL] __attribute__((aligned(64))) = {0};
        if (scaled) {
            __builtin_memcpy(scale, s->scale + p * FATHOM_PANEL, live * sizeof *scale);
            __builtin_memcpy(offset, s->offset + p * FATHOM_PANEL, live * sizeof *offset);
        }
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            float line[FATHOM_PANEL] __attribute__((aligned(64))), *target = s->target + r * s->target_stride + p * FATHOM_PANEL;
            UNROLL for (int q = 0; q < VECTORS; q++) {
                vf value = vf_load(s->m + p * s->m_stride + r * FATHOM_PANEL + q * LANES);
                if (scaled) value = value * vf_load(scale + q * LANES) + vf_load(offset + q * LANES);
                vf_store(line + q * LANES, value);
            }
            if (p < whole) __builtin_memcpy(target, line, sizeof line);
            else __builtin_memcpy(target, line, live * sizeof *line);
        }
    }
}

static void KERNEL(scatter)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_scatter_arguments *s = &arguments->scatter;
    if (s->scale) scatter_rows(s, range, true);
    else scatter_rows(s, range, false);
}
