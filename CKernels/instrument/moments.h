// Sum and sum of squares of a signal, panel by panel. Operation for operation reference/instrument.c. The next product reads the same signal, so this costs its
// arithmetic and no traffic; it runs beside that product, without a barrier.
// (In the epilogue of the product that makes the signal it took the same time, and tied the heights of its strips to blocks of 16 rows.)
// Needs instrument/signal.h.

static void KERNEL(moments)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moments_arguments *m = &arguments->moments;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *y = m->y + p * m->y_stride;
        vd sum[VECTORS], squares[VECTORS];
        size_t left = m->columns - p * FATHOM_PANEL;
        UNROLL for (int q = 0; q < VECTORS; q++) sum[q] = squares[q] = vd_set(0);
        for (size_t i = 0; i < FATHOM_PANEL * m->rows; i += FATHOM_PANEL) UNROLL for (int q = 0; q < VECTORS; q++) {
            if (q * (size_t)LANES >= left) continue;
            vf x = vf_load(y + i + q * LANES);
            sum[q] += vf_to_double(x);
            squares[q] = signal_square(squares[q], x);
        }
        UNROLL for (int q = 0; q < VECTORS; q++) {
            vl live = __builtin_convertvector(vi_below(p * FATHOM_PANEL + q * LANES, m->columns), vl);
            sum[q] = vd_select(live, sum[q], vd_set(0));
            squares[q] = vd_select(live, squares[q], vd_set(0));
        }
        double total = vd_tree16(squares), *sums = m->sums + 3 * p;
        sums[0] = vd_tree16(sum);
        sums[1] = total;
        sums[2] = total < __builtin_inf() ? 0 : KERNEL(count_nonfinite)(y, m->rows, m->columns - p * FATHOM_PANEL);
    }
}
