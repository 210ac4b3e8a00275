// What instruments gather, in plain C: of a signal and its gradient, of the parameters' changes, and the totals of both.
#include <math.h>

#include "scalar.h"

#include "../elementwise/functions.h"

// The lanes of a block while it is gathered.
typedef struct signal_lanes {
    double gradient[FATHOM_PANEL];
    float slope[FATHOM_PANEL];
    fathom_signal_block block;
} signal_lanes;

static void add_gradient(signal_lanes *s, size_t lane, float gradient) {
    uint32_t bits;
    memcpy(&bits, &gradient, sizeof bits);
    bits &= 0x7fffffff;
    s->gradient[lane] += (double)gradient * gradient;
    s->block.subnormal += bits > 0 && bits < 0x00800000;
}

static void add_slope(signal_lanes *s, size_t lane, float slope, float threshold) {
    s->slope[lane] = fathom_fma_reference(slope, slope, s->slope[lane]);
    s->block.saturated += fabsf(slope) < threshold;
    s->block.alive |= (uint32_t)(slope != 0) << lane;
}

static void pull_back_block(const fathom_pull_back *p, size_t row, size_t rows, size_t panel) {
    signal_lanes s = {0};
    for (size_t r = row; r < row + rows; r++)
        for (size_t lane = 0; lane < FATHOM_PANEL; lane++) {
            size_t c = FATHOM_PANEL * panel + lane;
            float *dx = fathom_at(p->dx, p->dx_stride, r, c);
            if (c >= p->columns) {
                *dx = 0;
                continue;
            }
            if (p->blocks) add_gradient(&s, lane, *dx);
            if (p->activation == FATHOM_IDENTITY) continue;
            float slope = fathom_activation_slope_reference(p->activation, p->parameter, *fathom_at(p->saved, p->saved_stride, r, c));
            if (p->blocks) add_slope(&s, lane, slope, saturated_slope(p->activation, p->parameter));
            *dx *= slope;
        }
    if (!p->blocks) return;
    s.block.gradient_squares = fathom_tree16_reference(s.gradient);
    s.block.slope_squares = fathom_float_tree16_reference(s.slope);
    for (size_t r = row; r < row + rows && !isfinite(s.block.gradient_squares); r++)
        for (size_t c = FATHOM_PANEL * panel; c < p->columns && c < FATHOM_PANEL * (panel + 1); c++)
            s.block.nonfinite += !isfinite(*fathom_at(p->dx, p->dx_stride, r, c));
    p->blocks[panel * p->blocks_stride + row / FATHOM_PANEL] = s.block;
}

void fathom_pull_back_reference(const fathom_pull_back *p, fathom_range range) {
    for (size_t panel = range.panel_begin; panel < range.panel_end; panel++)
        for (size_t row = range.row_begin; row < range.row_end; row += FATHOM_PANEL) {
            size_t rows = range.row_end - row < FATHOM_PANEL ? range.row_end - row : FATHOM_PANEL;
            pull_back_block(p, row, rows, panel);
        }
}

void fathom_change_reference(const fathom_optimizer_arguments *o, const float *before, size_t row) {
    double of_before[FATHOM_PANEL] = {0}, of_change[FATHOM_PANEL] = {0};
    size_t rows = o->count / FATHOM_PANEL, end = rows - row < FATHOM_CHANGE_ROWS ? rows : row + FATHOM_CHANGE_ROWS;
    for (size_t r = row; r < end; r += FATHOM_CHANGE_CHAIN)
        for (size_t lane = 0; lane < FATHOM_PANEL; lane++) {
            float old_chain = 0, change_chain = 0;
            for (size_t k = r; k < r + FATHOM_CHANGE_CHAIN && k < end; k++) {
                float old = before[(k - row) * FATHOM_PANEL + lane], change = (o->p[k * FATHOM_PANEL + lane] - old) * 0x1p32f;
                old_chain = fathom_fma_reference(old, old, old_chain);
                change_chain = fathom_fma_reference(change, change, change_chain);
            }
            of_before[lane] += old_chain;
            of_change[lane] += change_chain;
        }
    o->changes[row / FATHOM_CHANGE_ROWS * 2] = fathom_tree16_reference(of_before);
    o->changes[row / FATHOM_CHANGE_ROWS * 2 + 1] = fathom_tree16_reference(of_change) * 0x1p-64;
}

void fathom_moments_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moments_arguments *m = &arguments->moments;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        double sum[FATHOM_PANEL] = {0}, squares[FATHOM_PANEL] = {0}, nonfinite = 0;
        for (size_t r = 0; r < m->rows; r++)
            for (size_t c = FATHOM_PANEL * p; c < m->columns && c < FATHOM_PANEL * (p + 1); c++) {
                double y = *fathom_at(m->y, m->y_stride, r, c);
                sum[c % FATHOM_PANEL] += y;
                squares[c % FATHOM_PANEL] += y * y;
                nonfinite += !isfinite(y);
            }
        m->sums[3 * p] = fathom_tree16_reference(sum);
        m->sums[3 * p + 1] = fathom_tree16_reference(squares);
        m->sums[3 * p + 2] = nonfinite;
    }
}

static void total_signal(const fathom_signal_source *s) {
    fathom_signal_statistics total = {0};
    for (size_t p = 0; p < s->panels; p++) {
        uint32_t alive = s->accumulate && s->blocks ? s->alive[p] : 0;
        total.sum += s->moments[3 * p];
        total.squares += s->moments[3 * p + 1];
        total.nonfinite += (uint64_t)s->moments[3 * p + 2];
        for (size_t b = 0; s->blocks && b < s->row_blocks; b++) {
            const fathom_signal_block *block = &s->blocks[p * s->row_blocks + b];
            total.gradient_squares += block->gradient_squares;
            total.slope_squares += block->slope_squares;
            total.saturated += block->saturated;
            total.subnormal += block->subnormal;
            total.nonfinite += block->nonfinite;
            alive |= block->alive;
        }
        size_t left = s->columns - FATHOM_PANEL * p, live = left < FATHOM_PANEL ? left : FATHOM_PANEL;
        if (!s->blocks) continue;
        s->alive[p] = alive;
        total.dead += live - (size_t)__builtin_popcount(alive);
    }
    if (s->accumulate) {
        total.sum += s->total->sum;
        total.squares += s->total->squares;
        total.gradient_squares += s->total->gradient_squares;
        total.slope_squares += s->total->slope_squares;
        total.saturated += s->total->saturated;
        total.subnormal += s->total->subnormal;
        total.nonfinite += s->total->nonfinite;
    }
    *s->total = total;
}

void fathom_signal_total_reference(const fathom_arguments *arguments, fathom_range range) {
    for (size_t i = range.row_begin; i < range.row_end; i++) total_signal(&arguments->signal_total.sources[i]);
}

void fathom_change_total_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_change_total_arguments *c = &arguments->change_total;
    for (size_t i = range.row_begin; i < range.row_end && c->update->finite; i++) {
        const fathom_change_source *source = &c->sources[i];
        double before = 0, change = 0;
        for (size_t b = 0; b < source->blocks; b++) {
            before += source->changes[2 * b];
            change += source->changes[2 * b + 1];
        }
        source->total[0] = before;
        source->total[1] = change;
    }
}

void fathom_exponents_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_exponents_arguments *e = &arguments->exponents;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        uint32_t *counts = e->counts + p * FATHOM_EXPONENT_BINS;
        if (!e->accumulate) memset(counts, 0, FATHOM_EXPONENT_BINS * sizeof *counts);
        for (size_t r = 0; r < e->rows; r++)
            for (size_t c = FATHOM_PANEL * p; c < e->columns && c < FATHOM_PANEL * (p + 1); c++) {
                uint32_t bits;
                memcpy(&bits, fathom_at(e->m, e->m_stride, r, c), sizeof bits);
                counts[(bits & 0x7fffffff) == 0 ? FATHOM_EXPONENT_BINS - 1 : bits >> 23 & 0xff]++;
            }
    }
}
