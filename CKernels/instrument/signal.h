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

INLINE void signal_add_slope(signal_lanes *s, int j, fathom_activation kind, vf slope, float threshold) {
    if (slope_is_binary(kind)) {  // its own square; of zeros there are as many as the sum lacks
        s->slope[j] += slope;
        return;
    }
    s->slope[j] = vf_fma(slope, slope, s->slope[j]);
    s->saturated[j] += (slope_is_plain(kind) ? slope : vf_abs(slope)) < threshold;
    if (!slope_is_plain(kind)) s->alive[j] |= slope != 0;  // else the sum of squares tells
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

// Where a slope is no number, and the sum of them tells nothing.
COLD static uint32_t KERNEL(count_saturated)(fathom_activation kind, const float *saved, size_t rows, size_t live) {
    vi count[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) count[q] = vi_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++)
        count[q] -= vi_below(q * LANES, live) & (activation_slope(kind, 0, vf_load(saved + r * FATHOM_PANEL + q * LANES)) == 0);
    return (uint32_t)vi_sum16(count);
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

// What a block's gradient tells where the sum of its squares or an entry is out of the common. One that has vanished, as those of many layers may, is told at once.
COLD static void KERNEL(signal_gradient)(fathom_signal_block *block, float squares, const vu *smallest, const float *dy, size_t rows, size_t live) {
    vi subnormal = vi_set(0), other = vi_set(0);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live);
        subnormal |= mask & (smallest[q] < 0x007fffff);
        other |= mask & (smallest[q] != UINT32_MAX);
    }
    bool kept = (squares >= FATHOM_LEAST_SQUARES && squares < __builtin_inff()) || !vi_any(other);
    block->gradient_squares = kept ? squares : KERNEL(squares_in_double)(dy, rows, live);
    block->subnormal = vi_any(subnormal) ? KERNEL(count_subnormal)(dy, rows, live) : 0;
}

enum { SIGNAL_BLOCK = FATHOM_PANEL * FATHOM_PANEL };  // floats

// What the gradients of `together` blocks tell, while they still lie at dy; `live` columns of the panel count. Whether all of them are finite for certain.
INLINE bool signal_gradients(fathom_signal_block *blocks, const signal_lanes *lanes, int together, const float *dy, size_t rows, size_t live) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    vi subnormal = vi_set(0);
    UNROLL for (int j = 0; j < together * VECTORS; j++) {
        vi mask = vi_below(j % VECTORS * LANES, live);
        squares[j] = vf_where(mask, lanes->gradient[j]);
        subnormal |= mask & (lanes->smallest[j] < 0x007fffff);
    }
    vf_four sums = vf_trees16(squares, together);
    bool common = !vi_any(subnormal) && __builtin_reduce_and((sums >= FATHOM_LEAST_SQUARES) & (sums < __builtin_inff()));
    if (!common) {
        vu smallest[SIGNAL_BLOCKS * VECTORS];  // a copy, so that the lanes themselves stay in registers
        __builtin_memcpy(smallest, lanes->smallest, sizeof smallest);
        for (int b = 0; b < together; b++) KERNEL(signal_gradient)(&blocks[b], sums[b], smallest + b * VECTORS, dy + b * SIGNAL_BLOCK, rows, live);
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
    fathom_signal_block *blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *saved, const float *dz, size_t rows, size_t live, bool finite) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) squares[j] = vf_where(vi_below(j % VECTORS * LANES, live), lanes->slope[j]);
    vf_four sums = vf_trees16(squares, together);
    UNROLL for (int b = 0; b < together && slope_is_binary(kind); b++)
        blocks[b].saturated = sums[b] == sums[b] ? (uint32_t)(rows * live) - (uint32_t)sums[b] : KERNEL(count_saturated)(kind, saved + b * SIGNAL_BLOCK, rows, live);
    UNROLL for (int b = 0; b < together && !slope_is_binary(kind); b += 2) {
        // Of two blocks in one sum: a count is at most 256.
        vi saturated[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) {
            int j = b * VECTORS + q;
            saturated[q] = -lanes->saturated[j];
            if (b + 1 < together) saturated[q] += -lanes->saturated[j + VECTORS] << 16;
            saturated[q] &= vi_below(q * LANES, live);
        }
        uint32_t both = (uint32_t)vi_sum16(saturated);
        blocks[b].saturated = both & 0xffff;
        if (b + 1 < together) blocks[b + 1].saturated = both >> 16;
    }
    UNROLL for (int b = 0; b < together; b++) {
        vi alive[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) {
            int j = b * VECTORS + q;
            alive[q] = vi_below(q * LANES, live) & (slope_is_plain(kind) ? lanes->slope[j] != 0 : lanes->alive[j]);
        }
        blocks[b].slope_squares = sums[b];
        blocks[b].alive = vi_lanes16(alive);
        blocks[b].nonfinite = finite || blocks[b].gradient_squares < __builtin_inf() ? 0 : KERNEL(count_nonfinite)(dz + b * SIGNAL_BLOCK, rows, live);
    }
}
