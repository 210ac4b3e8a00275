// What an optimizer's pass did to 1024 parameters: Σ p² before it, Σ (p after − p before)². Operation for operation reference/instrument.c.
// In a loop of their own: beside adam's numbers there are no registers for sums. Documentation/decisions/instruments.md has the times.

typedef struct change_lanes {
    vd before[VECTORS], change[VECTORS];
} change_lanes;

// Of up to 128 parameters, `count` of them: what they were, and where they are now.
INLINE void change_add(change_lanes *lanes, const vf *before, const float *after, size_t count) {
    vf of_before[VECTORS] = {0}, of_change[VECTORS] = {0};
    for (size_t i = 0; i < count; i += FATHOM_PANEL) UNROLL for (int q = 0; q < VECTORS; q++) {
        vf old = before[i / LANES + q], change = (vf_load(after + i + q * LANES) - old) * 0x1p32f;
        of_before[q] = vf_fma(old, old, of_before[q]);
        of_change[q] = vf_fma(change, change, of_change[q]);
    }
    UNROLL for (int q = 0; q < VECTORS; q++) {
        lanes->before[q] += vf_to_double(of_before[q]);
        lanes->change[q] += vf_to_double(of_change[q]);
    }
}

// Of the block that begins at panel row `row`.
INLINE void change_store(const fathom_optimizer_arguments *o, size_t row, const change_lanes *lanes) {
    double *block = o->changes + row / FATHOM_CHANGE_ROWS * 2;
    block[0] = vd_tree16(lanes->before);
    block[1] = vd_tree16(lanes->change) * 0x1p-64;
}
