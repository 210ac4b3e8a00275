// What an optimizer's pass did to 1024 parameters: Σ p² before it, Σ (p after − p before)². Operation for operation reference/instrument.c. Needs
// instrument/signal.h.

typedef struct change_lanes {
    vd before[VECTORS], change[VECTORS];
} change_lanes;

INLINE void change_add(change_lanes *c, int q, vf before, vf after) {
    c->before[q] = signal_square(c->before[q], before);
    c->change[q] = signal_square(c->change[q], after - before);
}

// Of the block that begins at panel row `row`.
INLINE void change_store(const fathom_optimizer_arguments *o, size_t row, const change_lanes *c) {
    double *block = o->changes + row / FATHOM_CHANGE_ROWS * 2;
    block[0] = vd_tree16(c->before);
    block[1] = vd_tree16(c->change);
}
