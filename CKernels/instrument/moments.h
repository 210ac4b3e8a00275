// Sum and sum of squares of a signal, panel by panel. Operation for operation reference/instrument.c. The next product reads the same signal, so this costs its
// arithmetic and no traffic; it runs beside that product, without a barrier.
// (In the epilogue of the product that makes the signal it took the same time, and tied the heights of its strips to blocks of 16 rows.)
// Needs instrument/signal.h.

// Of `panels` neighbouring panels: so many chains of additions that their latency is hidden.
INLINE void KERNEL(moments_of)(const fathom_moments_arguments *m, size_t panel, int panels) {
    vd sum[2 * VECTORS], squares[2 * VECTORS];
    UNROLL for (int j = 0; j < panels * VECTORS; j++) sum[j] = squares[j] = vd_set(0);
    const float *y = m->y + panel * m->y_stride;
    size_t left = m->columns - panel * FATHOM_PANEL;
    for (size_t i = 0; i < FATHOM_PANEL * m->rows; i += FATHOM_PANEL) UNROLL for (int j = 0; j < panels * VECTORS; j++) {
        if (j * (size_t)LANES >= left) continue;
        vf x = vf_load(y + j / VECTORS * m->y_stride + i + j % VECTORS * LANES);
        sum[j] += vf_to_double(x);
        squares[j] = signal_square(squares[j], x);
    }
    UNROLL for (int p = 0; p < panels; p++) {
        vd *own_sum = sum + p * VECTORS, *own_squares = squares + p * VECTORS;
        size_t columns = left - p * FATHOM_PANEL;
        UNROLL for (int q = 0; q < VECTORS; q++) {
            vl live = __builtin_convertvector(vi_below(q * LANES, columns), vl);
            own_sum[q] = vd_select(live, own_sum[q], vd_set(0));
            own_squares[q] = vd_select(live, own_squares[q], vd_set(0));
        }
        double total = vd_tree16(own_squares), *sums = m->sums + 3 * (panel + p);
        sums[0] = vd_tree16(own_sum);
        sums[1] = total;
        sums[2] = total < __builtin_inf() ? 0 : KERNEL(count_nonfinite)(y + p * m->y_stride, m->rows, columns);
    }
}

static void KERNEL(moments)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moments_arguments *m = &arguments->moments;
    size_t p = range.panel_begin;
    // A panel of several vectors has chains enough.
    for (; VECTORS == 1 && p + 2 <= range.panel_end; p += 2) KERNEL(moments_of)(m, p, 2);
    for (; p < range.panel_end; p++) KERNEL(moments_of)(m, p, 1);
}
