// The steps of a sequence and the cells that walk them, in plain C.
#include "reference.h"

void fathom_step_mean_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_steps_arguments *s = &arguments->steps;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
            float sum = 0;
            for (size_t t = 0; t < s->steps; t++) sum += *fathom_at(s->x, s->x_stride, t * s->rows + r, c);
            *fathom_at(s->y, s->y_stride, r, c) = c < s->columns ? sum * (1.0f / (float)s->steps) : 0;
        }
}

void fathom_step_spread_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_steps_arguments *s = &arguments->steps;
    for (size_t t = 0; t < s->steps; t++)
        for (size_t r = range.row_begin; r < range.row_end; r++)
            for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
                float y = *fathom_at(s->y, s->y_stride, r, c), x = s->last ? t + 1 < s->steps ? 0 : y : y * s->scale;
                *fathom_at(s->x, s->x_stride, t * s->rows + r, c) = c < s->columns ? x : 0;
            }
}
