// Sums of two matrices, a constant, and dropout, in plain C.
#include "../random/philox.h"
#include "reference.h"

void fathom_add_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_add_arguments *a = &arguments->add;
    float s = a->factor ? a->scale * *a->factor : a->scale;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
            float y = s * *fathom_at(a->b, a->b_stride, r, c);
            if (a->a) y = *fathom_at(a->a, a->a_stride, r, c) + y;
            *fathom_at(a->y, a->y_stride, r, c) = c < a->columns ? y : 0;
        }
}

void fathom_fill_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_fill_arguments *f = &arguments->fill;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++)
            *fathom_at(f->y, f->y_stride, r, c) = c < f->columns ? f->value : 0;
}

static bool is_kept(const fathom_dropout_arguments *d, size_t r, size_t c) {
    size_t samples = d->rows / d->steps;
    uint64_t i = ((d->batch->first_row + r % samples) * d->steps + r / samples) * FATHOM_PANEL * fathom_panels(d->columns) + c;
    uint64_t stream = (uint64_t)d->layer << 32 | (uint32_t)d->batch->step;
    return philox_of(i / 4, stream, d->purpose, d->seed).word[i % 4] >= d->threshold;
}

void fathom_dropout_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_dropout_arguments *d = &arguments->dropout;
    for (size_t p = range.panel_begin; p < range.panel_end; p++)
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            uint16_t bits = 0;
            for (size_t c = FATHOM_PANEL * p; c < FATHOM_PANEL * (p + 1); c++) {
                bool kept = c < d->columns && is_kept(d, r, c);
                bits |= (uint16_t)(kept << c % FATHOM_PANEL);
                *fathom_at(d->y, d->y_stride, r, c) = kept ? *fathom_at(d->x, d->x_stride, r, c) * d->scale : 0;
            }
            d->mask[p * d->rows + r] = bits;
        }
}

void fathom_dropout_backward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_dropout_arguments *d = &arguments->dropout;
    for (size_t p = range.panel_begin; p < range.panel_end; p++)
        for (size_t r = range.row_begin; r < range.row_end; r++)
            for (size_t c = FATHOM_PANEL * p; c < FATHOM_PANEL * (p + 1); c++) {
                bool kept = d->mask[p * d->rows + r] >> c % FATHOM_PANEL & 1;
                *fathom_at(d->y, d->y_stride, r, c) = kept ? *fathom_at(d->x, d->x_stride, r, c) * d->scale : 0;
            }
}
