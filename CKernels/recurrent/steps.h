// The steps of a sequence into one matrix and back: their mean, and the gradients of mean and last. Operation for operation reference/recurrent.c.
// Bound by memory.

enum { STEP_ROWS = 16 };  // rows whose sums go through the steps together, so that each step is read in runs of a kilobyte

static void KERNEL(step_mean)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_steps_arguments *s = &arguments->steps;
    vf part = vf_set(1.0f / (float)s->steps);
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, s->columns);
        for (size_t r = range.row_begin; r < range.row_end; r += STEP_ROWS) {
            size_t rows = range.row_end - r < STEP_ROWS ? range.row_end - r : STEP_ROWS;
            vf sums[STEP_ROWS * VECTORS] = {0};
            for (size_t t = 0; t < s->steps; t++) {
                const float *x = s->x + p * s->x_stride + (t * s->rows + r) * FATHOM_PANEL;
                for (size_t i = 0; i < rows * VECTORS; i++) sums[i] += vf_load(x + i * LANES);
            }
            float *y = s->y + p * s->y_stride + r * FATHOM_PANEL;
            for (size_t i = 0; i < rows * VECTORS; i++) vf_store(y + i * LANES, vf_where(live[i % VECTORS], sums[i] * part));
        }
    }
}

static void KERNEL(step_spread)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_steps_arguments *s = &arguments->steps;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, s->columns);
        for (size_t t = 0; t < s->steps; t++) {
            bool skipped = s->last && t + 1 < s->steps;
            for (size_t r = range.row_begin; r < range.row_end; r++)
                UNROLL for (int q = 0; q < VECTORS; q++) {
                    vf y = vf_load(s->y + p * s->y_stride + r * FATHOM_PANEL + q * LANES);
                    vf x = skipped ? vf_set(0) : s->last ? y : y * s->scale;
                    vf_store(s->x + p * s->x_stride + (t * s->rows + r) * FATHOM_PANEL + q * LANES, vf_where(live[q], x));
                }
        }
    }
}
