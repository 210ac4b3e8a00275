// What the backward pass tells of a signal on its way through an activation, gathered from registers: see fathom_signal_blocks. Operation for operation
// reference/instrument.c. Needs instrument/signal_anew.h.
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
    // Of each lane the bits that the gradients of all blocks have in common: where one is of the exponent none is zero or subnormal. From 2⁻⁶³ to below 2 all share one.
    vi common[VECTORS];
    vi saturated[SIGNAL_BLOCKS * VECTORS], alive[SIGNAL_BLOCKS * VECTORS];  // minus the counts; a mask
} signal_lanes;

INLINE void signal_clear(signal_lanes *s) {
    UNROLL for (int j = 0; j < SIGNAL_BLOCKS * VECTORS; j++) {
        s->gradient[j] = s->slope[j] = s->sum[j] = s->squares[j] = vf_set(0);
        s->saturated[j] = s->alive[j] = vi_set(0);
    }
    UNROLL for (int q = 0; q < VECTORS; q++) s->common[q] = vi_set(-1);
}

INLINE void signal_add_gradient(signal_lanes *s, int j, vf gradient) {
    s->gradient[j] = vf_fma(gradient, gradient, s->gradient[j]);
    s->common[j % VECTORS] &= vf_bits(gradient);
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

// One number of each of `together` neighbouring blocks.
INLINE void signal_put_sums(fathom_signal_blocks blocks, int which, int together, vd_four sums) {
    __builtin_memcpy(blocks.sums + (size_t)which * blocks.stride, &sums, (size_t)together * sizeof(double));
}

INLINE void signal_put_counts(fathom_signal_blocks blocks, int which, int together, vu16_four counts) {
    __builtin_memcpy(blocks.counts + (size_t)which * blocks.stride, &counts, (size_t)together * sizeof(uint16_t));
}

// What the gradients of `together` blocks tell, while they still lie at dy; `live` columns of the panel count. Whether all of them are finite for certain.
INLINE bool signal_gradients(fathom_signal_blocks blocks, const signal_lanes *lanes, int together, const float *dy, size_t rows, size_t live, bool paired) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    vi small = vi_set(0);  // lanes in which some may be zero or subnormal
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = signal_columns(paired, q, live);
        UNROLL for (int j = q; j < together * VECTORS; j += VECTORS) squares[j] = vf_where(mask, lanes->gradient[j]);
        small |= mask & ((lanes->common[q] & 0x7f800000) == 0);
    }
    vf_four sums = vf_trees16(squares, together);
    bool usual = __builtin_reduce_and((sums >= FATHOM_LEAST_SQUARES) & (sums < __builtin_inff()));
    if (SELDOM(!usual || (vi_any(small) && KERNEL(some_subnormal)(dy, (size_t)together * rows, live)))) {
        KERNEL(signal_gradients_again)(blocks, sums, together, dy, rows, live);
        return false;
    }
    signal_put_sums(blocks, FATHOM_GRADIENT_SQUARES, together, __builtin_convertvector(sums, vd_four));
    signal_put_counts(blocks, FATHOM_SUBNORMAL, together, (vu16_four){0});
    return true;
}

// How many entries of each of up to four blocks are saturated. A lane has at most 16 of a block, so a byte holds what four lanes have.
INLINE vu16_four signal_saturated(const signal_lanes *lanes, int together, size_t live, bool paired) {
    typedef uint32_t v16 __attribute__((vector_size(64)));
    typedef uint8_t bytes __attribute__((vector_size(16)));
    typedef uint16_t words __attribute__((vector_size(32)));
    vu counts[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) {
        counts[q] = (vu)vi_set(0);
        UNROLL for (int b = 0; b < together; b++) counts[q] -= (vu)lanes->saturated[b * VECTORS + q] << 8 * b;
        counts[q] &= (vu)signal_columns(paired, q, live);
    }
    v16 a;
    __builtin_memcpy(&a, counts, sizeof a);
    __auto_type b = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
    __auto_type c = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
    words d = __builtin_convertvector((bytes)c, words);
    __auto_type e = __builtin_shufflevector(d, d, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(d, d, 8, 9, 10, 11, 12, 13, 14, 15);
    return __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
}

// Of each block, the columns in which a slope is not 0.
INLINE vu16_four signal_alive(const signal_lanes *lanes, int together, fathom_activation kind, size_t live, bool paired) {
    uint64_t all = 0;
    UNROLL for (int b = 0; b < together; b++) {
        vi alive[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) {
            int j = b * VECTORS + q;
            alive[q] = signal_columns(paired, q, live) & (slope_is_plain(kind) ? lanes->slope[j] != 0 : lanes->alive[j]);
        }
        all |= (uint64_t)vi_lanes16(alive) << 16 * b;
    }
    if (paired) all = (all | all >> FATHOM_PANEL / 2) & 0x00ff00ff00ff00ff;
    vu16_four columns;
    __builtin_memcpy(&columns, &all, sizeof columns);
    return columns;
}

// And what their slopes tell, φ′(saved), once gradient ⊙ φ′ lies at dz.
INLINE void signal_slopes(
    fathom_signal_blocks blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *dz, size_t rows, size_t live, bool paired, bool finite) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) squares[j] = vf_where(signal_columns(paired, j % VECTORS, live), lanes->slope[j]);
    vf_four sums = vf_trees16(squares, together);
    signal_put_sums(blocks, FATHOM_SLOPE_SQUARES, together, __builtin_convertvector(sums, vd_four));
    if (slope_is_binary(kind)) {
        // Where a slope is no number signal_outputs_again counts.
        vi_four known = sums == sums, ones = __builtin_convertvector((vf_four)((vi_four)sums & known), vi_four);
        signal_put_counts(blocks, FATHOM_SATURATED, together, __builtin_convertvector(((int32_t)(rows * live) - ones) & known, vu16_four));
    } else signal_put_counts(blocks, FATHOM_SATURATED, together, signal_saturated(lanes, together, live, paired));
    signal_put_counts(blocks, FATHOM_ALIVE, together, signal_alive(lanes, together, kind, live, paired));
    signal_put_counts(blocks, FATHOM_NONFINITE, together, (vu16_four){0});
    if (SELDOM(!finite)) KERNEL(signal_nonfinite)(blocks, together, dz, rows, live);
}

// And what their values h tell, where φ′ is computed from them or nothing follows.
INLINE void signal_outputs(
    fathom_signal_blocks blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *h, size_t rows, size_t live, bool paired) {
    vf sums[SIGNAL_BLOCKS * VECTORS], squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) {
        vi mask = signal_columns(paired, j % VECTORS, live);
        sums[j] = vf_where(mask, lanes->sum[j]);
        squares[j] = vf_where(mask, lanes->squares[j]);
    }
    vf_four s = vf_trees16(sums, together), q = vf_trees16(squares, together);
    vd_four of_d = __builtin_convertvector(s, vd_four), of_squares = __builtin_convertvector(q, vd_four);
    double n = (double)(rows * live);
    if (!output_is_around_zero(kind)) {
        vd_four c = {0};
        UNROLL for (int b = 0; b < together; b++) c[b] = (double)h[b * SIGNAL_BLOCK];
        of_squares += c * (of_d + of_d) + c * c * n;
        of_d += n * c;
    }
    signal_put_sums(blocks, FATHOM_OUTPUT_SUM, together, of_d);
    signal_put_sums(blocks, FATHOM_OUTPUT_SQUARES, together, of_squares);
    float share = 1 / (0.875f * (float)n);
    vi_four suffices = (q >= FATHOM_LEAST_SQUARES) & (q < __builtin_inff()) & (s * (s * share) <= q);
    if (SELDOM(!__builtin_reduce_and(suffices))) KERNEL(signal_outputs_again)(blocks, suffices, together, kind, h, rows, live);
}
