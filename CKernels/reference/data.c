// Row-major data into panels and back, in plain C.
#include "reference.h"

static size_t row_of(const fathom_gather_arguments *g, size_t r) { return g->order ? g->order[r] : r; }

static void put(const fathom_gather_arguments *g, size_t r, size_t c, float value) {
    if (g->mean) value = (value - g->mean[c]) * g->scale[c];
    *fathom_at(g->x, g->x_stride, r, c) = value;
}

static void clear_padding(const fathom_gather_arguments *g, size_t r) {
    for (size_t c = g->columns; c < FATHOM_PANEL * fathom_panels(g->columns); c++) *fathom_at(g->x, g->x_stride, r, c) = 0;
}

void fathom_gather_bytes_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_arguments *g = &arguments->gather;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        const uint8_t *source = (const uint8_t *)g->source + row_of(g, r) * g->source_stride;
        for (size_t c = 0; c < g->columns; c++) put(g, r, c, source[c]);
        clear_padding(g, r);
    }
}

void fathom_gather_floats_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_arguments *g = &arguments->gather;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        const float *source = (const float *)g->source + row_of(g, r) * g->source_stride;
        for (size_t c = 0; c < g->columns; c++) put(g, r, c, source[c]);
        clear_padding(g, r);
    }
}

void fathom_gather_classes_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_classes_arguments *g = &arguments->gather_classes;
    for (size_t r = range.row_begin; r < range.row_end; r++) g->classes[r] = g->source[g->order ? g->order[r] : r];
}

void fathom_scatter_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_scatter_arguments *s = &arguments->scatter;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = 0; c < s->columns; c++) {
            float value = *fathom_at(s->m, s->m_stride, r, c);
            if (s->scale) value = value * s->scale[c] + s->offset[c];
            s->target[r * s->target_stride + c] = value;
        }
}
