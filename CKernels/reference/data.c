// Row-major data into panels and back, in plain C. The panels of their grids are steps of a sequence.
#include "reference.h"

static size_t row_of(const fathom_gather_arguments *g, size_t r) { return g->order ? g->order[r] : r; }

// Element (t·rows + r, c) of x, zero past the last column.
static void put(const fathom_gather_arguments *g, size_t t, size_t r, size_t c, float value) {
    size_t at = t * FATHOM_PANEL * fathom_panels(g->columns) + c;
    if (g->mean) value = (value - g->mean[at]) * g->scale[at];
    *fathom_at(g->x, g->x_stride, t * g->rows + r, c) = c < g->columns ? value : 0;
}

void fathom_gather_bytes_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_arguments *g = &arguments->gather;
    for (size_t t = range.panel_begin; t < range.panel_end; t++)
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            const uint8_t *source = (const uint8_t *)g->source + row_of(g, r) * g->source_stride + t * g->columns;
            for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(g->columns); c++) put(g, t, r, c, c < g->columns ? source[c] : 0);
        }
}

void fathom_gather_floats_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_arguments *g = &arguments->gather;
    for (size_t t = range.panel_begin; t < range.panel_end; t++)
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            const float *source = (const float *)g->source + row_of(g, r) * g->source_stride + t * g->columns;
            for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(g->columns); c++) put(g, t, r, c, c < g->columns ? source[c] : 0);
        }
}

void fathom_gather_classes_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_classes_arguments *g = &arguments->gather_classes;
    for (size_t t = range.panel_begin; t < range.panel_end; t++)
        for (size_t r = range.row_begin; r < range.row_end; r++)
            g->classes[t * g->rows + r] = g->source[(g->order ? g->order[r] : r) * g->steps + t];
}

void fathom_scatter_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_scatter_arguments *s = &arguments->scatter;
    for (size_t t = range.panel_begin; t < range.panel_end; t++)
        for (size_t r = range.row_begin; r < range.row_end; r++)
            for (size_t c = 0; c < s->columns; c++) {
                size_t at = t * FATHOM_PANEL * fathom_panels(s->columns) + c;
                float value = *fathom_at(s->m, s->m_stride, t * s->rows + r, c);
                if (s->scale) value = value * s->scale[at] + s->offset[at];
                s->target[r * s->target_stride + t * s->columns + c] = value;
            }
}
