// Sum and sum of squares of a signal, panel by panel. Operation for operation reference/instrument.c. The next product reads the same signal, so the call costs its
// arithmetic and no traffic; it runs beside that product, without a barrier. Batch normalization has those of its input made on its way, and what goes back through an
// activation by its output those of the output, as a loss has the network's: instrument/signal.h.
// (In the epilogue of the product that makes the signal it took the same time, and tied the heights of its strips to blocks of 16 rows.)
// Needs instrument/signal_anew.h.

enum { MOMENTS_BLOCKS = VECTORS < 4 ? 4 / VECTORS : 1 };  // that go together, and hide each other's latency

// Σ (y − centre) and Σ (y − centre)² of `blocks` neighbouring blocks of `rows` rows: in float32 down a block, the blocks in float64, in order.
INLINE void moments_of_blocks(const float *y, size_t rows, int blocks, const vf *centre, vd *sum, vd *squares) {
    vf sums[MOMENTS_BLOCKS * VECTORS], of_squares[MOMENTS_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < blocks * VECTORS; j++) sums[j] = of_squares[j] = vf_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int j = 0; j < blocks * VECTORS; j++) {
        vf d = vf_load(y + (size_t)(j / VECTORS) * 256 + r * FATHOM_PANEL + j % VECTORS * LANES) - centre[j % VECTORS];
        sums[j] += d;
        of_squares[j] = vf_fma(d, d, of_squares[j]);
    }
    UNROLL for (int j = 0; j < blocks * VECTORS; j++) {
        sum[j % VECTORS] += vf_to_double(sums[j]);
        squares[j % VECTORS] += vf_to_double(of_squares[j]);
    }
}

// Of all rows of a panel.
INLINE void moments_of_rows(const float *y, size_t rows, const vf *centre, vd *sum, vd *squares) {
    size_t r = 0;
    UNROLL for (int q = 0; q < VECTORS; q++) sum[q] = squares[q] = vd_set(0);
    for (; r + 16 * MOMENTS_BLOCKS <= rows; r += 16 * MOMENTS_BLOCKS) moments_of_blocks(y + r * FATHOM_PANEL, 16, MOMENTS_BLOCKS, centre, sum, squares);
    for (; r < rows; r += 16) moments_of_blocks(y + r * FATHOM_PANEL, least(16, rows - r), 1, centre, sum, squares);
}

// A panel's record from its sums of distances and of their squares, while the panel still lies at y; `live` of its columns count.
INLINE void moments_of_distances(const float *y, size_t rows, size_t live, const vf *centre, const vd *of_distance, const vd *of_square, double *sums) {
    vd sum[VECTORS], squares[VECTORS], distances[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi columns = vi_below(q * LANES, live);
        vl mask = __builtin_convertvector(columns, vl);
        vd c = vf_to_double(vf_where(columns, centre[q])), zero = vd_set(0), distance = vd_select(mask, of_distance[q], zero);
        distances[q] = vd_select(mask, of_square[q], zero);
        squares[q] = distances[q] + (c * (distance + distance) + c * c * (double)rows);
        sum[q] = distance + c * (double)rows;
    }
    double size = vd_tree16(distances);
    if (!(size >= (double)FATHOM_LEAST_SQUARES && size < __builtin_inf())) return KERNEL(moments_in_double)(y, rows, live, sums);
    sums[0] = vd_tree16(sum);
    sums[1] = vd_tree16(squares);
    sums[2] = 0;
}

static void KERNEL(moments)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moments_arguments *m = &arguments->moments;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *y = m->y + p * m->y_stride;
        vf centre[VECTORS];
        vd sum[VECTORS], squares[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) centre[q] = m->rows > 0 ? vf_load(y + q * LANES) : vf_set(0);
        moments_of_rows(y, m->rows, centre, sum, squares);
        moments_of_distances(y, m->rows, least(m->columns - p * FATHOM_PANEL, FATHOM_PANEL), centre, sum, squares, m->sums + 3 * p);
    }
}
