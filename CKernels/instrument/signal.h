// What the backward pass tells of a signal on its way through an activation, gathered from registers: see fathom_signal_block. Operation for operation
// reference/instrument.c. Needs elementwise/functions.h.

// The lanes of 16 rows of one panel.
typedef struct signal_lanes {
    vd gradient[VECTORS];
    vf slope[VECTORS];
    vi saturated[VECTORS], subnormal[VECTORS], alive[VECTORS];  // minus the counts; a mask
} signal_lanes;

INLINE vd signal_square(vd sum, vf x) {
    vd wide = vf_to_double(x);
#ifdef EMULATE_FMA
    return sum + wide * wide;  // the square of a float is exact in float64
#else
    return __builtin_elementwise_fma(wide, wide, sum);
#endif
}

INLINE void signal_add_gradient(signal_lanes *s, int q, vf gradient) {
    vi size = vf_bits(vf_abs(gradient));
    s->gradient[q] = signal_square(s->gradient[q], gradient);
    s->subnormal[q] += (size < 0x00800000) - (size == 0);
}

INLINE void signal_add_slope(signal_lanes *s, int q, vf slope, float threshold) {
    s->slope[q] = vf_fma(slope, slope, s->slope[q]);
    s->saturated[q] += vf_abs(slope) < threshold;
    s->alive[q] |= slope != 0;
}

// Of `rows` rows of one panel, where a sum has told that there are some.
static uint32_t KERNEL(count_nonfinite)(const float *m, size_t rows, size_t live) {
    uint32_t count = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < live && c < FATHOM_PANEL; c++) count += !(__builtin_fabsf(m[r * FATHOM_PANEL + c]) < __builtin_inff());
    return count;
}

// `live` columns of the panel count, of `rows` rows whose gradient ⊙ φ′ lies at dz.
INLINE fathom_signal_block signal_block(signal_lanes *s, size_t live, const float *dz, size_t rows) {
    fathom_signal_block block = {0};
    vi counts[VECTORS], alive[VECTORS];
    UNROLL for (int q = 0; q < VECTORS; q++) {
        vi mask = vi_below(q * LANES, live), bit;
        UNROLL for (int i = 0; i < LANES; i++) bit[i] = 1 << (q * LANES + i);
        s->slope[q] = vf_where(mask, s->slope[q]);
        s->gradient[q] = vd_select(__builtin_convertvector(mask, vl), s->gradient[q], vd_set(0));
        // Both are at most 256 in all: one sum of both.
        counts[q] = mask & -(s->saturated[q] + (s->subnormal[q] << 16));
        alive[q] = mask & s->alive[q] & bit;
    }
    uint32_t both = (uint32_t)vi_sum16(counts);
    block.saturated = both & 0xffff;
    block.subnormal = both >> 16;
    block.alive = (uint32_t)vi_sum16(alive);
    block.gradient_squares = vd_tree16(s->gradient);
    block.slope_squares = vf_tree16(s->slope);
    if (!(block.gradient_squares < __builtin_inf())) block.nonfinite = KERNEL(count_nonfinite)(dz, rows, live);
    return block;
}
