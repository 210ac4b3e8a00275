// Panels back to row-major, the inverse of data/gather.h, step by step. Nothing is written past the last column of a step.

INLINE void scatter_step(const fathom_scatter_arguments *s, size_t step, size_t row_begin, size_t row_end, bool scaled) {
    size_t whole = s->columns / FATHOM_PANEL, rest = s->columns % FATHOM_PANEL, padded = step * FATHOM_PANEL * fathom_panels(s->columns);
    for (size_t p = 0; p < whole + (rest > 0); p++) {
        size_t live = p < whole ? FATHOM_PANEL : rest;
        float scale[FATHOM_PANEL] __attribute__((aligned(64))) = {0}, offset[FATHOM_PANEL] __attribute__((aligned(64))) = {0};
        if (scaled) {
            __builtin_memcpy(scale, s->scale + padded + p * FATHOM_PANEL, live * sizeof *scale);
            __builtin_memcpy(offset, s->offset + padded + p * FATHOM_PANEL, live * sizeof *offset);
        }
        for (size_t r = row_begin; r < row_end; r++) {
            float line[FATHOM_PANEL] __attribute__((aligned(64))), *target = s->target + r * s->target_stride + step * s->columns + p * FATHOM_PANEL;
            UNROLL for (int q = 0; q < VECTORS; q++) {
                vf value = vf_load(s->m + p * s->m_stride + (step * s->rows + r) * FATHOM_PANEL + q * LANES);
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
    for (size_t t = range.panel_begin; t < range.panel_end; t++) {
        if (s->scale) scatter_step(s, t, range.row_begin, range.row_end, true);
        else scatter_step(s, t, range.row_begin, range.row_end, false);
    }
}
