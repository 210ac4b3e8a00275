// What the backward pass tells of a signal on its way through an activation, gathered from registers: see fathom_signal_blocks. Operation for operation
// reference/instrument.c. Needs instrument/signal_anew.h.
//
// A chain is as long as it has rows, so a few neighbouring ones go together, and hide each other's latency.

enum {
    SIGNAL_CHAIN = FATHOM_PANEL * FATHOM_PANEL,            // floats
    SIGNAL_CHAINS = FATHOM_SIGNAL_ROWS / FATHOM_PANEL,     // of a block
    CHAINS_TOGETHER = VECTORS < SIGNAL_CHAINS ? SIGNAL_CHAINS / VECTORS : 1,
    ROWS_TOGETHER = CHAINS_TOGETHER * FATHOM_PANEL,
    HALF_ROW = VECTORS > 1 ? VECTORS / 2 : 1,  // vectors
};
_Static_assert(SIGNAL_CHAINS == 4, "chains are joined as (c₀ + c₁) + (c₂ + c₃)");

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

// The lanes of chains that go together: vector q of chain c is number c·VECTORS + q.
typedef struct signal_chains {
    vf sums[FATHOM_SIGNAL_SUMS][CHAINS_TOGETHER * VECTORS];
} signal_chains;

// Those of a block.
typedef struct signal_lanes {
    vf sums[FATHOM_SIGNAL_SUMS][VECTORS];
    vf waiting[FATHOM_SIGNAL_SUMS][VECTORS];  // the first of a pair of chains, while the second is summed
    // The bits that the gradients have in common: where one is of the exponent none is zero or subnormal. From 2⁻⁶³ to below 2 all share one.
    vi common[VECTORS];
    vi saturated[VECTORS], alive[VECTORS];  // minus the counts; a mask
} signal_lanes;

INLINE void signal_add_gradient(signal_chains *s, signal_lanes *lanes, int j, vf gradient) {
    vf *squares = &s->sums[FATHOM_GRADIENT_SQUARES][j];
    *squares = vf_fma(gradient, gradient, *squares);
    lanes->common[j % VECTORS] &= vf_bits(gradient);
}

INLINE void signal_add_slope(signal_chains *s, signal_lanes *lanes, int j, fathom_activation kind, vf slope, float threshold) {
    int q = j % VECTORS;
    vf *squares = &s->sums[FATHOM_SLOPE_SQUARES][j];
    if (slope_is_binary(kind)) {  // its own square; of zeros there are as many as the sum lacks
        *squares += slope;
        return;
    }
    *squares = vf_fma(slope, slope, *squares);
    // tanh's by the sign of a difference, since a comparison of 16 lanes takes the place of a multiply-add; NaN may come out on either side.
    if (VECTORS == 1 && slope_is_plain(kind)) lanes->saturated[q] += vf_bits(slope - threshold) >> 31;
    else lanes->saturated[q] += (slope_is_plain(kind) ? slope : vf_abs(slope)) < threshold;
    if (!slope_is_plain(kind)) lanes->alive[q] |= slope != 0;  // else the sum of squares tells
}

// `centre` points to the block's first value, where distances are not to 0.
INLINE void signal_add_output(signal_chains *s, int j, fathom_activation kind, vf h, const float *centre) {
    vf d = output_is_around_zero(kind) ? h : h - *centre;
    s->sums[FATHOM_OUTPUT_SUM][j] += d;
    s->sums[FATHOM_OUTPUT_SQUARES][j] = vf_fma(d, d, s->sums[FATHOM_OUTPUT_SQUARES][j]);
}

INLINE void signal_end_pair(signal_lanes *lanes, int which) {
    UNROLL for (int q = 0; q < VECTORS; q++) {
        lanes->sums[which][q] += lanes->waiting[which][q];
        lanes->waiting[which][q] = vf_set(0);
    }
}

// Adds one of the sums of `together` chains to a block's, the first of which is number `chain` of it.
INLINE void signal_join(signal_lanes *lanes, int which, const signal_chains *chains, size_t chain, size_t together) {
    const vf *c = chains->sums[which];
    vf *sums = lanes->sums[which], *waiting = lanes->waiting[which];
    UNROLL for (int q = 0; q < VECTORS; q++) {
        if (together == 4) sums[q] += (c[q] + c[VECTORS + q]) + (c[2 * VECTORS + q] + c[3 * VECTORS + q]);
        else if (together == 2) sums[q] += c[q] + c[VECTORS + q];
        else waiting[q] += c[q];
    }
    if (together == 1 && chain % 2 == 1) signal_end_pair(lanes, which);
}

// Whether the sums of squares of a block's gradients, which still lie at dy, are to be kept for certain, and no gradient is subnormal. Else what they tell is made anew.
INLINE bool signal_gradients_are_usual(fathom_signal_blocks block, signal_lanes *lanes, const float *dy, size_t rows, size_t live, bool paired) {
    vf *squares = lanes->sums[FATHOM_GRADIENT_SQUARES];
    vi enough = vi_set(0), strange = vi_set(0), small = vi_set(0);  // lanes
    signal_end_pair(lanes, FATHOM_GRADIENT_SQUARES);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = signal_columns(paired, q, live);
        squares[q] = vf_where(mask, squares[q]);
        enough |= squares[q] >= FATHOM_LEAST_SQUARES;
        strange |= ~(squares[q] < 0x1p120f);                        // of 16 the sum is finite
        small |= mask & ((lanes->common[q] & 0x7f800000) == 0);     // some may be zero or subnormal
    }
    if (SELDOM(!vi_any(enough) || vi_any(strange) || (vi_any(small) && KERNEL(some_subnormal)(dy, rows, live)))) {
        KERNEL(signal_gradients_again)(block, vf_tree16(squares), dy, rows, live);
        return false;
    }
    return true;
}

// How many entries of a block are saturated, where that is not read off the sum of slopes.
INLINE int32_t signal_saturated(const signal_lanes *lanes, bool paired, size_t live) {
    vi counts[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) counts[q] = signal_columns(paired, q, live) & -lanes->saturated[q];
    return vi_sum16(counts);
}

// The columns in which a slope is not 0, told from their masks or sums of squares.
INLINE uint32_t signal_alive(const signal_lanes *lanes, fathom_activation kind, bool paired, size_t live) {
    vi alive[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) alive[q] = signal_columns(paired, q, live) & (slope_is_plain(kind) ? lanes->sums[FATHOM_SLOPE_SQUARES][q] != 0 : lanes->alive[q]);
    uint32_t columns = vi_lanes16(alive);
    return paired ? (columns | columns >> FATHOM_PANEL / 2) & 0xff : columns;
}

// All that a block tells, once gradient ⊙ φ′ lies at dz, and whether its gradients are usual: of these, of the slopes φ′(saved), and, where `tells_output`, of the values h.
INLINE void signal_finish(
    fathom_signal_blocks block, signal_lanes *lanes, fathom_activation kind, bool tells_output, bool usual, const float *h, float *dz, size_t rows, size_t live, bool paired) {
    bool has_slope = kind != FATHOM_IDENTITY;
    int known = tells_output ? FATHOM_SIGNAL_SUMS : has_slope ? FATHOM_SLOPE_SQUARES + 1 : FATHOM_GRADIENT_SQUARES + 1;  // the other sums are 0
    vf parts[FATHOM_SIGNAL_SUMS * VECTORS];
    UNROLL for (int which = 0; which < known; which++) {
        if (which != FATHOM_GRADIENT_SQUARES) signal_end_pair(lanes, which);
        UNROLL for (int q = 0; q < VECTORS; q++) parts[which * VECTORS + q] = vf_where(signal_columns(paired, q, live), lanes->sums[which][q]);
    }
    vf_four trees = vf_trees16(parts, known);
    UNROLL for (int which = known; which < FATHOM_SIGNAL_SUMS; which++) trees[which] = 0;
    vd_four sums = __builtin_convertvector(trees, vd_four);
    vu16_four counts = {0};
    float n = (float)(rows * live), s = trees[FATHOM_OUTPUT_SUM], q = trees[FATHOM_OUTPUT_SQUARES];
    if (slope_is_binary(kind)) {  // its zeros are what the sum lacks
        counts[FATHOM_SATURATED] = (uint16_t)((int32_t)(rows * live) - (int32_t)trees[FATHOM_SLOPE_SQUARES]);
        if (SELDOM(q != q)) {
            sums[FATHOM_SLOPE_SQUARES] = __builtin_nan("");
            KERNEL(multiply_by_slopes)(kind, h, dz, rows, live);
        }
    } else if (has_slope) counts[FATHOM_SATURATED] = (uint16_t)signal_saturated(lanes, paired, live);
    if (has_slope) counts[FATHOM_ALIVE] = (uint16_t)signal_alive(lanes, kind, paired, live);
    if (tells_output && !output_is_around_zero(kind)) {
        double centre = *h, of_d = sums[FATHOM_OUTPUT_SUM];
        sums[FATHOM_OUTPUT_SQUARES] += centre * (of_d + of_d) + centre * centre * (double)n;
        sums[FATHOM_OUTPUT_SUM] += (double)n * centre;
    }
    if (SELDOM(!usual)) {
        sums[FATHOM_GRADIENT_SQUARES] = block.sums[FATHOM_GRADIENT_SQUARES];
        counts[FATHOM_SUBNORMAL] = block.counts[FATHOM_SUBNORMAL];
        if (!(sums[FATHOM_GRADIENT_SQUARES] < __builtin_inf())) counts[FATHOM_NONFINITE] = (uint16_t)KERNEL(count_nonfinite)(dz, rows, live);
    }
    __builtin_memcpy(block.sums, &sums, sizeof sums);
    __builtin_memcpy(block.counts, &counts, sizeof counts);
    bool suffices = q >= FATHOM_LEAST_SQUARES && q < __builtin_inff() && s * (s * (1 / (0.875f * n))) <= q;
    if (SELDOM(tells_output && !suffices)) KERNEL(signal_outputs_again)(block, kind, h, rows, live);
}
