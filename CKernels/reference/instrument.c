// What instruments gather, in plain C: of a signal and its gradient, of the parameters' changes, and the totals of both.
#include <math.h>

#include "scalar.h"

#include "../elementwise/functions.h"

enum { CHAINS = FATHOM_SIGNAL_ROWS / FATHOM_PANEL };

// A block while it is gathered: float32 sums of each chain's lanes. Where its rows go two by two, the second one's columns have lanes of their own.
typedef struct signal_lanes {
    float gradient[CHAINS][FATHOM_PANEL], slope[CHAINS][FATHOM_PANEL];
    float output[CHAINS][FATHOM_PANEL], of_output[CHAINS][FATHOM_PANEL];  // Σ d and Σ d² of h
    double wide[FATHOM_PANEL];                                            // Σ gradient² once more, of columns, as are these
    double wide_output[FATHOM_PANEL], wide_of_output[FATHOM_PANEL];
    uint32_t entries, nonfinite;  // of h
    double sums[FATHOM_SIGNAL_SUMS];
    uint32_t counts[FATHOM_SIGNAL_COUNTS];
} signal_lanes;

static void add_gradient(signal_lanes *s, size_t chain, size_t lane, size_t column, float gradient) {
    uint32_t bits;
    memcpy(&bits, &gradient, sizeof bits);
    bits &= 0x7fffffff;
    s->gradient[chain][lane] = fathom_fma_reference(gradient, gradient, s->gradient[chain][lane]);
    s->wide[column] += (double)gradient * gradient;
    s->counts[FATHOM_SUBNORMAL] += bits > 0 && bits < 0x00800000;
}

static void add_slope(signal_lanes *s, size_t chain, size_t lane, size_t column, fathom_activation kind, float slope, float threshold) {
    s->slope[chain][lane] = fathom_fma_reference(slope, slope, s->slope[chain][lane]);
    s->counts[FATHOM_SATURATED] += (slope_is_plain(kind) ? slope : fabsf(slope)) < threshold;
    s->counts[FATHOM_ALIVE] |= (uint32_t)(slope != 0) << column;
}

static void add_output(signal_lanes *s, size_t chain, size_t lane, size_t column, float h, float centre) {
    float d = h - centre;
    s->output[chain][lane] += d;
    s->of_output[chain][lane] = fathom_fma_reference(d, d, s->of_output[chain][lane]);
    s->wide_output[column] += h;
    s->wide_of_output[column] += (double)h * h;
    s->entries++;
    s->nonfinite += !isfinite(h);
}

// The chains of a block in pairs, and the lanes in the fixed tree.
static float join(float chains[CHAINS][FATHOM_PANEL]) {
    float lanes[FATHOM_PANEL];
    for (size_t i = 0; i < FATHOM_PANEL; i++) lanes[i] = (chains[0][i] + chains[1][i]) + (chains[2][i] + chains[3][i]);
    return fathom_float_tree16_reference(lanes);
}

// What the sums of h tell, from their distances or, where these do not suffice, from themselves.
static void finish_output(signal_lanes *s, double centre) {
    float sum = join(s->output), squares = join(s->of_output), n = (float)s->entries;
    bool kept = squares >= FATHOM_LEAST_SQUARES && isfinite(squares) && sum * (sum * (1 / (0.875f * n))) <= squares;
    s->sums[FATHOM_OUTPUT_SUM] = kept ? sum + n * centre : fathom_tree16_reference(s->wide_output);
    s->sums[FATHOM_OUTPUT_SQUARES] = kept ? squares + (centre * ((double)sum + sum) + centre * centre * n) : fathom_tree16_reference(s->wide_of_output);
    if (!isfinite(s->sums[FATHOM_OUTPUT_SQUARES])) s->counts[FATHOM_NONFINITE] += s->nonfinite;
}

static void pull_back_block(const fathom_pull_back *p, size_t row, size_t rows, size_t panel) {
    signal_lanes s = {0};
    bool tells = p->blocks.sums, tells_output = tells && (p->tells_output || slope_is_of_output(p->activation));
    bool has_centre = tells_output && !output_is_around_zero(p->activation);
    float centre = has_centre ? *fathom_at(p->saved, p->saved_stride, row, FATHOM_PANEL * panel) : 0;
    bool paired = p->columns - FATHOM_PANEL * panel <= FATHOM_PANEL / 2 && rows % 2 == 0;
    for (size_t r = row; r < row + rows; r++)
        for (size_t column = 0; column < FATHOM_PANEL; column++) {
            size_t c = FATHOM_PANEL * panel + column, chain = (r - row) / FATHOM_PANEL, lane = column + (paired ? (r - row) % 2 * (FATHOM_PANEL / 2) : 0);
            float *dx = fathom_at(p->dx, p->dx_stride, r, c);
            if (c >= p->columns) {
                *dx = 0;
                continue;
            }
            if (tells) add_gradient(&s, chain, lane, column, *dx);
            if (tells_output) add_output(&s, chain, lane, column, *fathom_at(p->saved, p->saved_stride, r, c), centre);
            if (p->activation == FATHOM_IDENTITY) continue;
            float saved = *fathom_at(p->saved, p->saved_stride, r, c), slope = fathom_activation_slope_reference(p->activation, p->parameter, saved);
            if (tells) add_slope(&s, chain, lane, column, p->activation, slope, saturated_slope(p->activation, p->parameter));
            *dx *= slope;
        }
    if (!tells) return;
    float squares = join(s.gradient);
    s.sums[FATHOM_GRADIENT_SQUARES] = squares >= FATHOM_LEAST_SQUARES && isfinite(squares) ? squares : fathom_tree16_reference(s.wide);
    s.sums[FATHOM_SLOPE_SQUARES] = join(s.slope);
    for (size_t r = row; r < row + rows && !isfinite(s.sums[FATHOM_GRADIENT_SQUARES]); r++)
        for (size_t c = FATHOM_PANEL * panel; c < p->columns && c < FATHOM_PANEL * (panel + 1); c++)
            s.counts[FATHOM_NONFINITE] += !isfinite(*fathom_at(p->dx, p->dx_stride, r, c));
    if (tells_output) finish_output(&s, centre);
    fathom_signal_blocks block = fathom_signal_blocks_from(p->blocks, panel, row);
    memcpy(block.sums, s.sums, sizeof s.sums);
    for (size_t i = 0; i < FATHOM_SIGNAL_COUNTS; i++) block.counts[i] = (uint16_t)s.counts[i];
}

void fathom_pull_back_reference(const fathom_pull_back *p, fathom_range range) {
    size_t most = p->blocks.sums ? p->blocks.rows : FATHOM_SIGNAL_ROWS;
    for (size_t panel = range.panel_begin; panel < range.panel_end; panel++)
        for (size_t row = range.row_begin; row < range.row_end; row += most) {
            size_t rows = range.row_end - row < most ? range.row_end - row : most;
            pull_back_block(p, row, rows, panel);
        }
}

void fathom_change_reference(const fathom_segment *segment, const float *before, const float *after, size_t row, size_t end) {
    double of_before[FATHOM_PANEL] = {0}, of_change[FATHOM_PANEL] = {0};
    for (size_t r = row; r < end; r += FATHOM_CHANGE_CHAIN)
        for (size_t lane = 0; lane < FATHOM_PANEL; lane++) {
            float old_chain = 0, change_chain = 0;
            for (size_t k = r; k < r + FATHOM_CHANGE_CHAIN && k < end; k++) {
                float old = before[(k - row) * FATHOM_PANEL + lane], change = (after[k * FATHOM_PANEL + lane] - old) * 0x1p32f;
                old_chain = fathom_fma_reference(old, old, old_chain);
                change_chain = fathom_fma_reference(change, change, change_chain);
            }
            of_before[lane] += old_chain;
            of_change[lane] += change_chain;
        }
    double *block = segment->changes + 2 * (row / FATHOM_CHANGE_ROWS - segment->first / FATHOM_CHANGE_ROWS);
    block[0] = fathom_tree16_reference(of_before);
    block[1] = fathom_tree16_reference(of_change) * 0x1p-64;
}

// One column's share of a panel's sums: Σ d² of its distances to the first row, and from these Σ y and Σ y².
static void column_moments(const fathom_moments_arguments *m, size_t column, double *distances, double *sum, double *squares) {
    double centre = m->rows ? *fathom_at(m->y, m->y_stride, 0, column) : 0, of_distance = 0;
    *distances = 0;
    for (size_t row = 0; row < m->rows; row += FATHOM_PANEL) {
        float chain = 0, of_squares = 0;
        for (size_t r = row; r < m->rows && r < row + FATHOM_PANEL; r++) {
            float d = *fathom_at(m->y, m->y_stride, r, column) - (float)centre;
            chain += d;
            of_squares = fathom_fma_reference(d, d, of_squares);
        }
        of_distance += chain;
        *distances += of_squares;
    }
    *squares = *distances + (centre * (of_distance + of_distance) + centre * centre * (double)m->rows);
    *sum = of_distance + centre * (double)m->rows;
}

void fathom_moments_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moments_arguments *m = &arguments->moments;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        double distances[FATHOM_PANEL] = {0}, sum[FATHOM_PANEL] = {0}, squares[FATHOM_PANEL] = {0};
        double wide_sum[FATHOM_PANEL] = {0}, wide_squares[FATHOM_PANEL] = {0}, nonfinite = 0;
        for (size_t c = FATHOM_PANEL * p, lane = 0; c < m->columns && lane < FATHOM_PANEL; c++, lane++) {
            column_moments(m, c, &distances[lane], &sum[lane], &squares[lane]);
            for (size_t r = 0; r < m->rows; r++) {
                double y = *fathom_at(m->y, m->y_stride, r, c);
                wide_sum[lane] += y;
                wide_squares[lane] += y * y;
                nonfinite += !isfinite(y);
            }
        }
        double size = fathom_tree16_reference(distances);
        bool kept = size >= (double)FATHOM_LEAST_SQUARES && isfinite(size);
        m->sums[3 * p] = fathom_tree16_reference(kept ? sum : wide_sum);
        m->sums[3 * p + 1] = fathom_tree16_reference(kept ? squares : wide_squares);
        m->sums[3 * p + 2] = nonfinite;
    }
}

// Blocks were written here and there during the step, for the most part by another thread: those of the next signal are asked for while one is summed.
static void ask_for(const fathom_signal_source *s) {
    if (!s->blocks.sums) return;
    size_t blocks = s->panels * s->blocks.stride, sums = blocks * FATHOM_SIGNAL_SUMS, counts = blocks * FATHOM_SIGNAL_COUNTS;
    for (size_t i = 0; i < sums; i += 8) __builtin_prefetch(s->blocks.sums + i);
    for (size_t i = 0; i < counts; i += 32) __builtin_prefetch(s->blocks.counts + i);
}

static void total_signal(const fathom_signal_source *s) {
    fathom_signal_statistics total = {0};
    bool has_blocks = s->blocks.sums;
    for (size_t p = 0; p < s->panels; p++) {
        uint32_t alive = s->accumulate && has_blocks ? s->alive[p] : 0;
        if (s->moments) {
            total.sum += s->moments[3 * p];
            total.squares += s->moments[3 * p + 1];
            total.nonfinite += (uint64_t)s->moments[3 * p + 2];
        }
        fathom_signal_blocks blocks = fathom_signal_blocks_from(s->blocks, p, 0);
        for (size_t b = 0; has_blocks && b < blocks.stride; b++) {
            const double *sums = blocks.sums + FATHOM_SIGNAL_SUMS * b;
            const uint16_t *counts = blocks.counts + FATHOM_SIGNAL_COUNTS * b;
            total.gradient_squares += sums[FATHOM_GRADIENT_SQUARES];
            total.slope_squares += sums[FATHOM_SLOPE_SQUARES];
            total.sum += sums[FATHOM_OUTPUT_SUM];
            total.squares += sums[FATHOM_OUTPUT_SQUARES];
            total.saturated += counts[FATHOM_SATURATED];
            total.subnormal += counts[FATHOM_SUBNORMAL];
            total.nonfinite += counts[FATHOM_NONFINITE];
            alive |= counts[FATHOM_ALIVE];
        }
        size_t left = s->columns - FATHOM_PANEL * p, live = left < FATHOM_PANEL ? left : FATHOM_PANEL;
        if (!has_blocks) continue;
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
    const fathom_signal_source *sources = arguments->signal_total.sources;
    for (size_t i = range.row_begin; i < range.row_end; i++) {
        if (i + 1 < range.row_end) ask_for(&sources[i + 1]);
        total_signal(&sources[i]);
    }
}

void fathom_change_total_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_change_total_arguments *c = &arguments->change_total;
    for (size_t i = range.row_begin; i < range.row_end; i++) {
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
