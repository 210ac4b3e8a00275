// What the backward pass tells of a signal on its way through an activation, gathered from registers: see fathom_signal_block. Operation for operation
// reference/instrument.c. Needs elementwise/functions.h.
//
// A block's chains are as long as it has rows, so a few neighbouring blocks go together, and hide each other's latency.

enum {
    SIGNAL_BLOCKS = VECTORS < 4 ? 4 / VECTORS : 1,
    HALF_ROW = VECTORS > 1 ? VECTORS / 2 : 1,  // vectors
};

// Where at most half of a panel's columns are live and the rows are even in number, these go two by two, the second one's columns behind the first one's: `paired`.
INLINE bool signal_is_paired(size_t rows, size_t live) { return live <= FATHOM_PANEL / 2 && rows % 2 == 0; }

// Vector q of row r and, paired, of the row behind it.
INLINE vf signal_load(const float *m, bool paired, size_t r, int q) {
    m += r * FATHOM_PANEL;
    if (!paired) return vf_load(m + q * LANES);
    if (VECTORS > 1) return vf_load(m + q / HALF_ROW * FATHOM_PANEL + q % HALF_ROW * LANES);
    vf v;
    __builtin_memcpy(&v, m, sizeof v / 2);
    __builtin_memcpy((char *)&v + sizeof v / 2, m + FATHOM_PANEL, sizeof v / 2);
    return v;
}

INLINE void signal_store(float *m, bool paired, size_t r, int q, vf v) {
    m += r * FATHOM_PANEL;
    if (!paired) vf_store(m + q * LANES, v);
    else if (VECTORS > 1) vf_store(m + q / HALF_ROW * FATHOM_PANEL + q % HALF_ROW * LANES, v);
    else {
        __builtin_memcpy(m, &v, sizeof v / 2);
        __builtin_memcpy(m + FATHOM_PANEL, (char *)&v + sizeof v / 2, sizeof v / 2);
    }
}

// The lanes of vector q that are columns.
INLINE vi signal_columns(bool paired, int q, size_t live) {
    if (!paired) return vi_below(q * LANES, live);
    if (VECTORS > 1) return vi_below(q % HALF_ROW * LANES, live);
    vi lane;
    UNROLL for (int i = 0; i < LANES; i++) lane[i] = i % (FATHOM_PANEL / 2);
    return lane < vi_set((int32_t)live);
}

// The lanes of one panel in 16 rows, of blocks that go together: vector q of block b is number b·VECTORS + q.
typedef struct signal_lanes {
    vf gradient[SIGNAL_BLOCKS * VECTORS], slope[SIGNAL_BLOCKS * VECTORS];
    vf sum[SIGNAL_BLOCKS * VECTORS], squares[SIGNAL_BLOCKS * VECTORS];  // of d
    vu smallest[SIGNAL_BLOCKS * VECTORS];                               // |gradient|'s bits
    vi saturated[SIGNAL_BLOCKS * VECTORS], alive[SIGNAL_BLOCKS * VECTORS];  // minus the counts; a mask
} signal_lanes;

INLINE void signal_clear(signal_lanes *s) {
    UNROLL for (int j = 0; j < SIGNAL_BLOCKS * VECTORS; j++) {
        s->gradient[j] = s->slope[j] = s->sum[j] = s->squares[j] = vf_set(0);
        s->saturated[j] = s->alive[j] = vi_set(0);
        s->smallest[j] = (vu)vi_set(-1);
    }
}

INLINE void signal_add_gradient(signal_lanes *s, int j, vf gradient) {
    s->gradient[j] = vf_fma(gradient, gradient, s->gradient[j]);
    s->smallest[j] = __builtin_elementwise_min(s->smallest[j], (vu)vf_bits(vf_abs(gradient)));
}

INLINE void signal_add_slope(signal_lanes *s, int j, fathom_activation kind, vf slope, float threshold) {
    if (slope_is_binary(kind)) {  // its own square; of zeros there are as many as the sum lacks
        s->slope[j] += slope;
        return;
    }
    s->slope[j] = vf_fma(slope, slope, s->slope[j]);
    // tanh's by the sign of a difference, since a comparison of 16 lanes takes the place of a multiply-add; NaN may come out on either side.
    if (VECTORS == 1 && slope_is_plain(kind)) s->saturated[j] += vf_bits(slope - threshold) >> 31;
    else s->saturated[j] += (slope_is_plain(kind) ? slope : vf_abs(slope)) < threshold;
    if (!slope_is_plain(kind)) s->alive[j] |= slope != 0;  // else the sum of squares tells
}

// `centre` points to the block's first value, where distances are not to 0.
INLINE void signal_add_output(signal_lanes *s, int j, fathom_activation kind, vf h, const float *centre) {
    vf d = output_is_around_zero(kind) ? h : h - *centre;
    s->sum[j] += d;
    s->squares[j] = vf_fma(d, d, s->squares[j]);
}

// Of `rows` rows of one panel, where a sum has told that there are some.
COLD static uint32_t KERNEL(count_nonfinite)(const float *m, size_t rows, size_t live) {
    uint32_t count = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < live && c < FATHOM_PANEL; c++) count += !(__builtin_fabsf(m[r * FATHOM_PANEL + c]) < __builtin_inff());
    return count;
}

COLD static uint32_t KERNEL(count_subnormal)(const float *m, size_t rows, size_t live) {
    uint32_t count = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < live && c < FATHOM_PANEL; c++) {
            float size = __builtin_fabsf(m[r * FATHOM_PANEL + c]);
            count += size > 0 && size < 0x1p-126f;
        }
    return count;
}

// {Σ y, Σ y², how many are not finite} of rows of a panel in float64, where float32 would lose too much of them.
COLD static void KERNEL(moments_in_double)(const float *y, size_t rows, size_t live, double *sums) {
    vd sum[VECTORS], squares[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) sum[q] = squares[q] = vd_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vd x = vf_to_double(vf_where(vi_below(q * LANES, live), vf_load(y + r * FATHOM_PANEL + q * LANES)));
        sum[q] += x;
        squares[q] += x * x;
    }
    sums[0] = vd_tree16(sum);
    sums[1] = vd_tree16(squares);
    sums[2] = sums[1] < __builtin_inf() ? 0 : KERNEL(count_nonfinite)(y, rows, live);
}

// Where a slope may be no number, of those that are plain.
COLD static uint32_t KERNEL(count_saturated)(fathom_activation kind, const float *saved, size_t rows, size_t live) {
    vi count[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) count[q] = vi_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++)
        count[q] -= vi_below(q * LANES, live) & (activation_slope(kind, 0, vf_load(saved + r * FATHOM_PANEL + q * LANES)) < saturated_slope(kind, 0));
    return (uint32_t)vi_sum16(count);
}

// What the values h of a block tell where their distances do not suffice.
COLD static void KERNEL(signal_output)(fathom_signal_block *block, fathom_activation kind, const float *h, size_t rows, size_t live) {
    double sums[3];
    KERNEL(moments_in_double)(h, rows, live, sums);
    block->sum = sums[0];
    block->squares = sums[1];
    block->nonfinite += (uint16_t)sums[2];
    if (sums[1] != sums[1] && slope_is_plain(kind)) block->saturated = (uint16_t)KERNEL(count_saturated)(kind, h, rows, live);
}

// Σ m² in float64, where in float32 too much of it was lost.
COLD static double KERNEL(squares_in_double)(const float *m, size_t rows, size_t live) {
    vd sums[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) sums[q] = vd_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vd wide = vf_to_double(vf_where(vi_below(q * LANES, live), vf_load(m + r * FATHOM_PANEL + q * LANES)));
        sums[q] += wide * wide;
    }
    return vd_tree16(sums);
}

// The smallest entry of some rows other than zero, lane by lane: its bits less one, which of zero are the largest.
static void KERNEL(smallest_of)(const float *m, size_t rows, vu smallest[VECTORS]) {
    UNROLL for (int q = 0; q < VECTORS; q++) smallest[q] = (vu)vi_set(-1);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++)
        smallest[q] = __builtin_elementwise_min(smallest[q], (vu)vf_bits(vf_abs(vf_load(m + r * FATHOM_PANEL + q * LANES))) - 1);
}

// What a block's gradient tells where the sum of its squares or an entry is out of the common. One that has vanished, as those of many layers may, is told soon.
COLD static void KERNEL(signal_gradient)(fathom_signal_block *block, float squares, const float *dy, size_t rows, size_t live) {
    vu smallest[VECTORS];
    vi subnormal = vi_set(0), other = vi_set(0);
    KERNEL(smallest_of)(dy, rows, smallest);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live);
        subnormal |= mask & (smallest[q] < 0x007fffff);
        other |= mask & (smallest[q] != UINT32_MAX);
    }
    bool kept = (squares >= FATHOM_LEAST_SQUARES && squares < __builtin_inff()) || !vi_any(other);
    block->gradient_squares = kept ? squares : KERNEL(squares_in_double)(dy, rows, live);
    block->subnormal = vi_any(subnormal) ? (uint16_t)KERNEL(count_subnormal)(dy, rows, live) : 0;
}

// Whether there are subnormal entries among those that are small: behind a dropout as many are zero, of every block.
static bool KERNEL(some_subnormal)(int together, const float *dy, size_t rows, size_t live) {
    vi subnormal = vi_set(0);
    for (int b = 0; b < together; b++) {
        vu smallest[VECTORS];
        KERNEL(smallest_of)(dy + b * FATHOM_PANEL * FATHOM_PANEL, rows, smallest);
        UNROLL for (int q = 0; q < VECTORS; q++) subnormal |= vi_below(q * LANES, live) & (smallest[q] < 0x007fffff);
    }
    return vi_any(subnormal);
}

enum { SIGNAL_BLOCK = FATHOM_PANEL * FATHOM_PANEL };  // floats

// What the gradients of `together` blocks tell, while they still lie at dy; `live` columns of the panel count. Whether all of them are finite for certain.
INLINE bool signal_gradients(
    fathom_signal_block *blocks, const signal_lanes *lanes, int together, const float *dy, size_t rows, size_t live, bool paired) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    vi small = vi_set(0);  // zero is too
    UNROLL for (int j = 0; j < together * VECTORS; j++) {
        vi mask = signal_columns(paired, j % VECTORS, live);
        squares[j] = vf_where(mask, lanes->gradient[j]);
        small |= mask & (lanes->smallest[j] < 0x00800000);
    }
    vf_four sums = vf_trees16(squares, together);
    bool common = __builtin_reduce_and((sums >= FATHOM_LEAST_SQUARES) & (sums < __builtin_inff()));
    if (!common || (vi_any(small) && KERNEL(some_subnormal)(together, dy, rows, live))) {
        for (int b = 0; b < together; b++) KERNEL(signal_gradient)(&blocks[b], sums[b], dy + b * SIGNAL_BLOCK, rows, live);
        return false;
    }
    UNROLL for (int b = 0; b < together; b++) {
        blocks[b].gradient_squares = sums[b];
        blocks[b].subnormal = 0;
    }
    return true;
}

// And what their slopes tell, φ′(saved), once gradient ⊙ φ′ lies at dz.
INLINE void signal_slopes(
    fathom_signal_block *blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *dz, size_t rows, size_t live, bool paired,
    bool finite) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) squares[j] = vf_where(signal_columns(paired, j % VECTORS, live), lanes->slope[j]);
    vf_four sums = vf_trees16(squares, together);
    UNROLL for (int b = 0; b < together && slope_is_binary(kind); b++)
        blocks[b].saturated = sums[b] == sums[b] ? (uint16_t)(rows * live) - (uint16_t)sums[b] : 0;  // where a slope is no number signal_output counts
    UNROLL for (int b = 0; b < together && !slope_is_binary(kind); b += 2) {
        // Of two blocks in one sum: a count is at most 256.
        vi saturated[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) {
            int j = b * VECTORS + q;
            saturated[q] = -lanes->saturated[j];
            if (b + 1 < together) saturated[q] += -lanes->saturated[j + VECTORS] << 16;
            saturated[q] &= signal_columns(paired, q, live);
        }
        uint32_t both = (uint32_t)vi_sum16(saturated);
        blocks[b].saturated = (uint16_t)both;
        if (b + 1 < together) blocks[b + 1].saturated = (uint16_t)(both >> 16);
    }
    UNROLL for (int b = 0; b < together; b++) {
        vi alive[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) {
            int j = b * VECTORS + q;
            alive[q] = signal_columns(paired, q, live) & (slope_is_plain(kind) ? lanes->slope[j] != 0 : lanes->alive[j]);
        }
        uint32_t lanes_alive = vi_lanes16(alive);
        blocks[b].slope_squares = sums[b];
        blocks[b].alive = (uint16_t)(paired ? (lanes_alive | lanes_alive >> FATHOM_PANEL / 2) & 0xff : lanes_alive);
        blocks[b].nonfinite = finite || blocks[b].gradient_squares < __builtin_inf() ? 0 : (uint16_t)KERNEL(count_nonfinite)(dz + b * SIGNAL_BLOCK, rows, live);
    }
}

// And what their values h tell where φ′ is computed from them.
INLINE void signal_outputs(
    fathom_signal_block *blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *h, size_t rows, size_t live, bool paired) {
    vf sums[SIGNAL_BLOCKS * VECTORS], squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) {
        vi mask = signal_columns(paired, j % VECTORS, live);
        sums[j] = vf_where(mask, lanes->sum[j]);
        squares[j] = vf_where(mask, lanes->squares[j]);
    }
    vf_four s = vf_trees16(sums, together), q = vf_trees16(squares, together);
    double n = (double)(rows * live);
    UNROLL for (int b = 0; b < together; b++) {
        double c = output_is_around_zero(kind) ? 0 : (double)h[b * SIGNAL_BLOCK], of_d = (double)s[b];
        blocks[b].sum = c == 0 ? of_d : of_d + n * c;
        blocks[b].squares = c == 0 ? (double)q[b] : (double)q[b] + (c * (of_d + of_d) + c * c * n);
    }
    float share = 1 / (0.875f * (float)n);
    __auto_type suffices = (q >= FATHOM_LEAST_SQUARES) & (q < __builtin_inff()) & (s * (s * share) <= q);
    if (__builtin_reduce_and(suffices)) return;
    for (int b = 0; b < together; b++)
        if (!suffices[b]) KERNEL(signal_output)(&blocks[b], kind, h + b * SIGNAL_BLOCK, rows, live);
}
