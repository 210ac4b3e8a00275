// What instruments gather: moments of signals, exponents, and the totals.
#include "harness.h"

void make_moments(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_moments_arguments *a = &c->call.arguments.moments;
    a->rows = p->rows;
    a->columns = p->outputs;
    float *y = read_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, &a->y_stride);
    // One time in four so small all over that their squares are nothing in float32.
    bool small = p->options % 4 == 0;
    for (size_t panel = 0; small && panel < (p->outputs + 15) / 16; panel++)
        for (size_t i = 0; i < 16 * p->rows; i++) y[panel * a->y_stride + i] *= 0x1p-70f;
    fact(c, "small", small);
    a->y = y;
    a->sums = flat(c, "sums", ELEMENT_DOUBLE, (p->outputs + 15) / 16 * 3, true, false);
}

static double draw_double(kernel_case *c) { return (double)draw_float(&c->random, c->plan.values) * 0x1.123456789abcdp0; }

static const double *doubles(kernel_case *c, const char *name, size_t count) {
    double *values = flat(c, name, ELEMENT_DOUBLE, count, false, false);
    for (size_t i = 0; i < count; i++) values[i] = draw_double(c);
    return values;
}

// Of one signal: `rows` blocks of rows in as many panels as `outputs` columns make.
static fathom_signal_source signal_source(kernel_case *c) {
    const plan *p = &c->plan;
    fathom_signal_source s = {.columns = p->outputs, .panels = (p->outputs + 15) / 16, .accumulate = p->options & 1};
    double *moments = p->options & 4 ? NULL : flat(c, "moments", ELEMENT_DOUBLE, 3 * s.panels, false, false);
    for (size_t i = 0; i < 3 * s.panels && moments; i++) moments[i] = i % 3 == 2 ? (double)draw_below(&c->random, 5) : draw_double(c);
    s.moments = moments;
    if (!(p->options & 2)) {
        s.blocks = (fathom_signal_blocks){
            flat(c, "sums of blocks", ELEMENT_DOUBLE, FATHOM_SIGNAL_SUMS * s.panels * p->rows, false, false),
            flat(c, "counts of blocks", ELEMENT_UINT16, FATHOM_SIGNAL_COUNTS * s.panels * p->rows, false, false), FATHOM_SIGNAL_ROWS, p->rows};
        for (size_t i = 0; i < FATHOM_SIGNAL_SUMS * s.panels * p->rows; i++) s.blocks.sums[i] = draw_double(c);
        for (size_t i = 0; i < FATHOM_SIGNAL_COUNTS * s.panels * p->rows; i++) {
            size_t left = p->outputs - 16 * (i / p->rows / FATHOM_SIGNAL_COUNTS);
            uint32_t mask = left < 16 ? (1u << left) - 1 : 0xffff, alive = (uint32_t)(draw(&c->random) & draw(&c->random) & draw(&c->random));
            s.blocks.counts[i] = i % FATHOM_SIGNAL_COUNTS == FATHOM_ALIVE ? (uint16_t)(alive & mask) : (uint16_t)draw_below(&c->random, 1025);
        }
    }
    s.alive = flat(c, "alive", ELEMENT_INT32, s.panels, true, false);
    for (size_t i = 0; i < s.panels && s.accumulate; i++) s.alive[i] = (uint32_t)draw_below(&c->random, 2) << draw_below(&c->random, 16 < p->outputs - 16 * i ? 16 : p->outputs - 16 * i);
    // As the words that it is: four of them numbers, four counts.
    s.total = flat(c, "total", ELEMENT_DOUBLE, sizeof(fathom_signal_statistics) / sizeof(double), true, false);
    if (s.accumulate) *s.total = (fathom_signal_statistics){draw_double(c), draw_double(c), draw_double(c), draw_double(c), 5, 7, 3, 0};
    fact(c, "accumulate", s.accumulate);
    fact(c, "moments", s.moments != NULL);
    fact(c, "blocks", s.blocks.sums != NULL);
    return s;
}

enum { SIGNALS = 2 };

void make_signal_total(kernel_case *c, fathom_operation operation) {
    (void)operation;
    fathom_signal_source *sources = flat(c, "sources", ELEMENT_BYTE, SIGNALS * sizeof *sources, false, false);
    for (int i = 0; i < SIGNALS; i++) sources[i] = signal_source(c);
    c->call.arguments.signal_total = (fathom_signal_total_arguments){SIGNALS, sources};
}

void make_change_total(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_change_source *sources = flat(c, "sources", ELEMENT_BYTE, SIGNALS * sizeof *sources, false, false);
    for (int i = 0; i < SIGNALS; i++) {
        sources[i].blocks = p->rows;
        sources[i].changes = doubles(c, "changes", 2 * p->rows);
        sources[i].total = flat(c, "total", ELEMENT_DOUBLE, 2, true, false);
    }
    c->call.arguments.change_total = (fathom_change_total_arguments){SIGNALS, sources};
}

void make_exponents(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_exponents_arguments *a = &c->call.arguments.exponents;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->m = read_matrix(c, "m", p->rows, p->outputs, PADDING_FREE, &a->m_stride);
    a->accumulate = p->options & 1;
    a->counts = flat(c, "counts", ELEMENT_INT32, (p->outputs + 15) / 16 * FATHOM_EXPONENT_BINS, true, false);
    fact(c, "accumulate", a->accumulate);
}
