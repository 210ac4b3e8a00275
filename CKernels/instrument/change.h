// What an optimizer's pass did to the rows of a segment in one block, summed in the pass itself: see fathom_segment. Operation for operation
// reference/instrument.c. Documentation/decisions/instruments.md has the times.

typedef struct change_lanes {
    vd before[VECTORS], change[VECTORS];
} change_lanes;

// Of one vector of parameters, before and after.
INLINE void change_add(vf *of_before, vf *of_change, vf before, vf after) {
    vf change = (after - before) * 0x1p32f;
    *of_before = vf_fma(before, before, *of_before);
    *of_change = vf_fma(change, change, *of_change);
}

INLINE void change_add_chain(change_lanes *lanes, const vf *of_before, const vf *of_change) {
    UNROLL for (int q = 0; q < VECTORS; q++) {
        lanes->before[q] += vf_to_double(of_before[q]);
        lanes->change[q] += vf_to_double(of_change[q]);
    }
}

// Of the block in which row `row` of the arrays is.
INLINE void change_store(const fathom_segment *segment, size_t row, const change_lanes *lanes) {
    double *block = segment->changes + 2 * (row / FATHOM_CHANGE_ROWS - segment->first / FATHOM_CHANGE_ROWS);
    block[0] = vd_tree16(lanes->before);
    block[1] = vd_tree16(lanes->change) * 0x1p-64;
}
