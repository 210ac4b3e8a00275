// What the backward pass tells of a signal on its way through an activation, gathered from registers: see fathom_signal_block. Operation for operation
// reference/instrument.c. Needs elementwise/functions.h.
//
// A block's chains are as long as it has rows, so a few neighbouring blocks go together, and hide each other's latency.

enum { SIGNAL_BLOCKS = VECTORS < 4 ? 4 / VECTORS : 1 };

// The lanes of one panel in 16 rows, of blocks that go together: vector q of block b is number b·VECTORS + q.
typedef struct signal_lanes {
    vf gradient[SIGNAL_BLOCKS * VECTORS], slope[SIGNAL_BLOCKS * VECTORS];
    vf sum[SIGNAL_BLOCKS * VECTORS], squares[SIGNAL_BLOCKS * VECTORS];  // of h
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

INLINE void signal_add_output(signal_lanes *s, int j, fathom_activation kind, vf h) {
    vf d = h - output_centre(kind);
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

// Where a slope is no number, of those that are plain.
COLD static uint32_t KERNEL(count_saturated)(fathom_activation kind, const float *saved, size_t rows, size_t live) {
    vi count[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) count[q] = vi_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++)
        count[q] -= vi_below(q * LANES, live) & (activation_slope(kind, 0, vf_load(saved + r * FATHOM_PANEL + q * LANES)) < saturated_slope(kind, 0));
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

// What a block's gradient tells where the sum of its squares or an entry is out of the common. One that has vanished, as those of many layers may, is told soon.
COLD static void KERNEL(signal_gradient)(fathom_signal_block *block, float squares, const float *dy, size_t rows, size_t live) {
    vi subnormal = vi_set(0), other = vi_set(0);
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++) {
        vi size = vi_below(q * LANES, live) & vf_bits(vf_abs(vf_load(dy + r * FATHOM_PANEL + q * LANES)));
        subnormal |= (size != 0) & (size < 0x00800000);
        other |= size;
    }
    bool kept = (squares >= FATHOM_LEAST_SQUARES && squares < __builtin_inff()) || !vi_any(other);
    block->gradient_squares = kept ? squares : KERNEL(squares_in_double)(dy, rows, live);
    block->subnormal = vi_any(subnormal) ? (uint16_t)KERNEL(count_subnormal)(dy, rows, live) : 0;
}

enum { SIGNAL_BLOCK = FATHOM_PANEL * FATHOM_PANEL };  // floats

// What the gradients of `together` blocks tell, while they still lie at dy; `live` columns of the panel count. Whether all of them are finite for certain.
INLINE bool signal_gradients(fathom_signal_block *blocks, const signal_lanes *lanes, int together, const float *dy, size_t rows, size_t live) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    vi small = vi_set(0);  // zero is too, and looked at again
    UNROLL for (int j = 0; j < together * VECTORS; j++) {
        vi mask = vi_below(j % VECTORS * LANES, live);
        squares[j] = vf_where(mask, lanes->gradient[j]);
        small |= mask & (lanes->smallest[j] < 0x00800000);
    }
    vf_four sums = vf_trees16(squares, together);
    bool common = !vi_any(small) && __builtin_reduce_and((sums >= FATHOM_LEAST_SQUARES) & (sums < __builtin_inff()));
    if (!common) {
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
    fathom_signal_block *blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *dz, size_t rows, size_t live, bool finite) {
    vf squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) squares[j] = vf_where(vi_below(j % VECTORS * LANES, live), lanes->slope[j]);
    vf_four sums = vf_trees16(squares, together);
    UNROLL for (int b = 0; b < together && slope_is_binary(kind); b++)
        blocks[b].saturated = sums[b] == sums[b] ? (uint16_t)(rows * live) - (uint16_t)sums[b] : 0;  // counted below where a slope is no number
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
        blocks[b].saturated = (uint16_t)both;
        if (b + 1 < together) blocks[b + 1].saturated = (uint16_t)(both >> 16);
    }
    UNROLL for (int b = 0; b < together; b++) {
        vi alive[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) {
            int j = b * VECTORS + q;
            alive[q] = vi_below(q * LANES, live) & (slope_is_plain(kind) ? lanes->slope[j] != 0 : lanes->alive[j]);
        }
        blocks[b].slope_squares = sums[b];
        blocks[b].alive = (uint16_t)vi_lanes16(alive);
        blocks[b].nonfinite = finite || blocks[b].gradient_squares < __builtin_inf() ? 0 : (uint16_t)KERNEL(count_nonfinite)(dz + b * SIGNAL_BLOCK, rows, live);
    }
}

typedef double vd_four __attribute__((vector_size(32)));

// What the values h of blocks tell from Σ d and Σ d² of their distances to the constant, where these suffice, or from themselves: see fathom_signal_block.
COLD static void KERNEL(outputs_in_double)(
    fathom_signal_block *blocks, int together, vf_four sum, vf_four squares, fathom_activation kind, const float *h, size_t rows, size_t live) {
    double n = (double)(rows * live), centre = (double)output_centre(kind), found[3];
    for (int b = 0; b < together; b++) {
        float s = sum[b], q = squares[b];
        if (q >= FATHOM_LEAST_SQUARES && q < __builtin_inff() && s * s <= 0.75f * ((float)n * q)) {
            blocks[b].sum = (double)s + n * centre;
            blocks[b].squares = (double)q + (centre * ((double)s + (double)s) + centre * centre * n);
            continue;
        }
        KERNEL(moments_in_double)(h + b * SIGNAL_BLOCK, rows, live, found);
        blocks[b].sum = found[0];
        blocks[b].squares = found[1];
        blocks[b].nonfinite += (uint16_t)found[2];
        if (q != q && slope_is_plain(kind)) blocks[b].saturated = (uint16_t)KERNEL(count_saturated)(kind, h + b * SIGNAL_BLOCK, rows, live);
    }
}

// What the values tell where φ′ is computed from them.
INLINE void signal_outputs(fathom_signal_block *blocks, const signal_lanes *lanes, int together, fathom_activation kind, const float *h, size_t rows, size_t live) {
    vf sums[SIGNAL_BLOCKS * VECTORS], squares[SIGNAL_BLOCKS * VECTORS];
    UNROLL for (int j = 0; j < together * VECTORS; j++) {
        vi mask = vi_below(j % VECTORS * LANES, live);
        sums[j] = vf_where(mask, lanes->sum[j]);
        squares[j] = vf_where(mask, lanes->squares[j]);
    }
    vf_four s = vf_trees16(sums, together), q = vf_trees16(squares, together);
    double n = (double)(rows * live), c = (double)output_centre(kind);
    bool suffice = __builtin_reduce_and((q >= FATHOM_LEAST_SQUARES) & (q < __builtin_inff()) & (s * s <= 0.75f * ((float)n * q)));
    if (!suffice) return KERNEL(outputs_in_double)(blocks, together, s, q, kind, h, rows, live);
    vd_four sum = __builtin_convertvector(s, vd_four), square = __builtin_convertvector(q, vd_four);
    if (c != 0) {
        square += c * (sum + sum) + c * c * n;
        sum += n * c;
    }
    UNROLL for (int b = 0; b < together; b++) {
        blocks[b].sum = sum[b];
        blocks[b].squares = square[b];
    }
}
