// What the backward pass tells of a signal on its way through an activation, gathered from registers: see fathom_signal_block. Operation for operation
// reference/instrument.c. Needs elementwise/functions.h.
//
// A block's chains are as long as it has rows, so a few neighbouring blocks go together, and hide each other's latency.

enum { SIGNAL_BLOCKS = VECTORS < 4 ? 4 / VECTORS : 1 };

// The lanes of one panel in 16 rows, of blocks that go together: vector q of block b is number b·VECTORS + q.
typedef struct signal_lanes {
    vf gradient[SIGNAL_BLOCKS * VECTORS], slope[SIGNAL_BLOCKS * VECTORS];
    vu smallest[SIGNAL_BLOCKS * VECTORS];  // |gradient|'s bits less one: of zero the largest
    vi saturated[SIGNAL_BLOCKS * VECTORS], alive[SIGNAL_BLOCKS * VECTORS];  // minus the counts; a mask
} signal_lanes;

INLINE void signal_clear(signal_lanes *s) {
    UNROLL for (int j = 0; j < SIGNAL_BLOCKS * VECTORS; j++) {
        s->gradient[j] = s->slope[j] = vf_set(0);
        s->saturated[j] = s->alive[j] = vi_set(0);
        s->smallest[j] = (vu)vi_set(-1);
    }
}

INLINE void signal_add_gradient(signal_lanes *s, int j, vf gradient) {
    s->gradient[j] = vf_fma(gradient, gradient, s->gradient[j]);
    s->smallest[j] = __builtin_elementwise_min(s->smallest[j], (vu)vf_bits(vf_abs(gradient)) - 1);
}

// Whether φ′ is 0 or so large that its square is not: then the sum of squares tells where it has been other than 0.
INLINE bool slope_sum_tells(fathom_activation kind) { return kind == FATHOM_RELU || kind == FATHOM_TANH || kind == FATHOM_HARD_TANH; }

INLINE void signal_add_slope(signal_lanes *s, int j, fathom_activation kind, vf slope, float threshold) {
    s->slope[j] = vf_fma(slope, slope, s->slope[j]);
    s->saturated[j] += vf_abs(slope) < threshold;
    if (!slope_sum_tells(kind)) s->alive[j] |= slope != 0;
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

// What a block's gradient tells, while it still lies at dy; `live` columns of the panel count.
INLINE void signal_gradient(fathom_signal_block *block, const vf *squares, const vu *smallest, const float *dy, size_t rows, size_t live) {
    vf sums[VECTORS];
    vi subnormal = vi_set(0), other = vi_set(0);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live);
        sums[q] = vf_where(mask, squares[q]);
        subnormal |= mask & (smallest[q] < 0x007fffff);
        other |= mask & (smallest[q] != UINT32_MAX);
    }
    float sum = vf_tree16(sums);
    bool kept = sum >= FATHOM_LEAST_SQUARES && sum < __builtin_inff();
    block->gradient_squares = kept || !vi_any(other) ? sum : KERNEL(squares_in_double)(dy, rows, live);
    block->subnormal = vi_any(subnormal) ? KERNEL(count_subnormal)(dy, rows, live) : 0;
}

// And what its slopes tell, once gradient ⊙ φ′ lies at dz.
INLINE void signal_slope(
    fathom_signal_block *block, fathom_activation kind, const vf *squares, const vi *saturated, const vi *alive, const float *dz, size_t rows, size_t live) {
    vf sums[VECTORS];
    vi counts[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live), bit;
        UNROLL for (int i = 0; i < LANES; i++) bit[i] = 1 << (q * LANES + i);
        sums[q] = vf_where(mask, squares[q]);
        // Both in one sum: at most 256, and bits above it.
        counts[q] = mask & (-saturated[q] + (((slope_sum_tells(kind) ? squares[q] != 0 : alive[q]) & bit) << 16));
    }
    block->slope_squares = vf_tree16(sums);
    uint32_t both = (uint32_t)vi_sum16(counts);
    block->saturated = both & 0xffff;
    block->alive = both >> 16;
    block->nonfinite = block->gradient_squares < __builtin_inf() ? 0 : KERNEL(count_nonfinite)(dz, rows, live);
}
