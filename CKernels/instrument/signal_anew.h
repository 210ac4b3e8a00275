// What blocks of a panel tell where sums in float32 do not suffice, or something is out of the common: made anew from the numbers, which still lie in the
// first-level cache. Operation for operation reference/instrument.c. Needs elementwise/functions.h.

typedef double vd_four __attribute__((vector_size(32)));
typedef uint16_t vu16_four __attribute__((vector_size(8)));

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

// What the values h of a block tell whose distances do not suffice.
COLD static void KERNEL(signal_outputs_again)(fathom_signal_blocks block, fathom_activation kind, const float *h, size_t rows, size_t live) {
    double sums[3];
    KERNEL(moments_in_double)(h, rows, live, sums);
    block.sums[FATHOM_OUTPUT_SUM] = sums[0];
    block.sums[FATHOM_OUTPUT_SQUARES] = sums[1];
    block.counts[FATHOM_NONFINITE] += (uint16_t)sums[2];
    if (sums[1] != sums[1] && slope_is_plain(kind)) block.counts[FATHOM_SATURATED] = (uint16_t)KERNEL(count_saturated)(kind, h, rows, live);
}

// dz ⊙ φ′(saved) of slopes that have been taken for 1 though they are no numbers; another slope that is 0 or 1 changes nothing a second time.
COLD static void KERNEL(multiply_by_slopes)(fathom_activation kind, const float *saved, float *dz, size_t rows, size_t live) {
    for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++) {
        size_t at = r * FATHOM_PANEL + q * LANES;
        vf gradient = vf_load(dz + at), slope = activation_slope(kind, 0, vf_load(saved + at));
        vf_store(dz + at, vf_select(vi_below(q * LANES, live), gradient * slope, gradient));
    }
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
INLINE void KERNEL(smallest_of)(const float *m, size_t rows, vu smallest[VECTORS]) {
    UNROLL for (int q = 0; q < VECTORS; q++) smallest[q] = (vu)vi_set(-1);
    _Pragma("clang loop unroll_count(4)") for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++)
        smallest[q] = __builtin_elementwise_min(smallest[q], (vu)vf_bits(vf_abs(vf_load(m + r * FATHOM_PANEL + q * LANES))) - 1);
}

// What the gradients of a block tell where the sum of their squares or an entry is out of the common. One that has vanished, as those of many layers may, is told soon.
COLD static void KERNEL(signal_gradients_again)(fathom_signal_blocks block, float squares, const float *dy, size_t rows, size_t live) {
    vu smallest[VECTORS];
    vi subnormal = vi_set(0), other = vi_set(0);
    KERNEL(smallest_of)(dy, rows, smallest);
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live);
        subnormal |= mask & (smallest[q] < 0x007fffff);
        other |= mask & (smallest[q] != UINT32_MAX);
    }
    bool kept = (squares >= FATHOM_LEAST_SQUARES && squares < __builtin_inff()) || !vi_any(other);
    block.sums[FATHOM_GRADIENT_SQUARES] = kept ? squares : KERNEL(squares_in_double)(dy, rows, live);
    block.counts[FATHOM_SUBNORMAL] = vi_any(subnormal) ? (uint16_t)KERNEL(count_subnormal)(dy, rows, live) : 0;
}

// Whether there are subnormal entries in neighbouring rows whose gradients have no bit of the exponent in common: behind a dropout some of every block are zero, and values of 2
// and more may lie beside smaller ones. Not inlined, since each way through each activation asks; nor cold, since this is common.
__attribute__((noinline)) static bool KERNEL(some_subnormal)(const float *dy, size_t rows, size_t live) {
    vu smallest[VECTORS];
    vi subnormal = vi_set(0);
    KERNEL(smallest_of)(dy, rows, smallest);
    UNROLL for (int q = 0; q < VECTORS; q++) subnormal |= vi_below(q * LANES, live) & (smallest[q] < 0x007fffff);
    return vi_any(subnormal);
}
