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

static float sigmoid(float z) { return fathom_activate_reference(FATHOM_SIGMOID, 0, z); }
static float hyperbolic_tangent(float z) { return fathom_activate_reference(FATHOM_TANH, 0, z); }
static float sigmoid_slope(float y) { return fathom_activation_slope_reference(FATHOM_SIGMOID, 0, y); }
static float tanh_slope(float y) { return fathom_activation_slope_reference(FATHOM_TANH, 0, y); }

// Element (r, c) of gate or slot k of a matrix of several, each of `columns` columns and starting on a panel.
static float *part(const float *m, size_t stride, size_t columns, int k, size_t r, size_t c) {
    return fathom_at(m, stride, r, (size_t)k * FATHOM_PANEL * fathom_panels(columns) + c);
}

void fathom_lstm_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_lstm_arguments *l = &arguments->lstm;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
            float *gate[4];
            for (int k = 0; k < 4; k++) gate[k] = part(l->gates, l->gates_stride, l->columns, k, r, c);
            float i = sigmoid(*gate[0]), f = sigmoid(*gate[1]), g = hyperbolic_tangent(*gate[2]), o = sigmoid(*gate[3]);
            float before = l->c_before ? *fathom_at(l->c_before, l->c_before_stride, r, c) : 0, cell = fathom_fma_reference(i, g, f * before);
            *gate[0] = i;
            *gate[1] = f;
            *gate[2] = g;
            *gate[3] = o;
            *fathom_at(l->c, l->c_stride, r, c) = c < l->columns ? cell : 0;
            *fathom_at(l->h, l->h_stride, r, c) = c < l->columns ? o * hyperbolic_tangent(cell) : 0;
        }
}

void fathom_lstm_backward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_lstm_arguments *l = &arguments->lstm;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
            float gate[4];
            for (int k = 0; k < 4; k++) gate[k] = *part(l->gates, l->gates_stride, l->columns, k, r, c);
            float i = gate[0], f = gate[1], g = gate[2], o = gate[3], *dc = fathom_at(l->dc, l->dc_stride, r, c);
            float before = l->c_before ? *fathom_at(l->c_before, l->c_before_stride, r, c) : 0;
            float dh = *fathom_at(l->dh, l->dh_stride, r, c), t = hyperbolic_tangent(*fathom_at(l->c, l->c_stride, r, c));
            float d = fathom_fma_reference(dh * o, tanh_slope(t), l->last ? 0 : *dc);
            float dgate[4] = {d * g * sigmoid_slope(i), d * before * sigmoid_slope(f), d * i * tanh_slope(g), dh * t * sigmoid_slope(o)};
            for (int k = 0; k < 4; k++) *part(l->dgates, l->dgates_stride, l->columns, k, r, c) = c < l->columns ? dgate[k] : 0;
            *dc = c < l->columns ? d * f : 0;
        }
}

void fathom_gru_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gru_arguments *g = &arguments->gru;
    for (size_t row = range.row_begin; row < range.row_end; row++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
            float *slot[4];
            for (int k = 0; k < 4; k++) slot[k] = part(g->slots, g->slots_stride, g->columns, k, row, c);
            float r = sigmoid(*slot[0]), z = sigmoid(*slot[1]), m = *slot[2], n = hyperbolic_tangent(fathom_fma_reference(r, m, *slot[3]));
            float before = g->h_before ? *fathom_at(g->h_before, g->h_before_stride, row, c) : 0, h = fathom_fma_reference(z, before - n, n);
            *slot[0] = r;
            *slot[1] = z;
            *slot[3] = n;
            *fathom_at(g->h, g->h_stride, row, c) = c < g->columns ? h : 0;
        }
}

void fathom_gru_backward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gru_arguments *g = &arguments->gru;
    for (size_t row = range.row_begin; row < range.row_end; row++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
            float slot[4];
            for (int k = 0; k < 4; k++) slot[k] = *part(g->slots, g->slots_stride, g->columns, k, row, c);
            float r = slot[0], z = slot[1], m = slot[2], n = slot[3], dh = *fathom_at(g->dh, g->dh_stride, row, c);
            float before = g->h_before ? *fathom_at(g->h_before, g->h_before_stride, row, c) : 0;
            float dn = dh * (1 - z) * tanh_slope(n);
            float dslot[4] = {dn * m * sigmoid_slope(r), dh * (before - n) * sigmoid_slope(z), dn * r, dn};
            for (int k = 0; k < 4; k++) *part(g->dslots, g->dslots_stride, g->columns, k, row, c) = c < g->columns ? dslot[k] : 0;
            if (!g->dh_before) continue;
            float *dh_before = fathom_at(g->dh_before, g->dh_before_stride, row, c);
            *dh_before = c < g->columns ? fathom_fma_reference(dh, z, *dh_before) : 0;
        }
}
