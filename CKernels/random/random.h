// Uniform and normal deviates, Philox blocks in the lanes: four rows of a panel are 16 blocks, 64 elements. Operation for operation
// reference/random.c. Words are kept in the low halves of 64-bit lanes, which is what the 32 × 32 → 64 bit multiplication reads.

enum { RANDOM_ROWS = 4 };

typedef struct philox_words {
    vul word[4];
} philox_words;

INLINE philox_words philox_lanes(philox_words c, uint32_t key0, uint32_t key1) {
    const uint64_t low = 0xffffffff;
    UNROLL for (int round = 0; round < PHILOX_ROUNDS; round++) {
        vul product0 = (c.word[0] & low) * PHILOX_MULTIPLIER_0, product1 = (c.word[2] & low) * PHILOX_MULTIPLIER_1;
        c.word[0] = (product1 >> 32) ^ c.word[1] ^ key0;
        c.word[1] = product1;
        c.word[2] = (product0 >> 32) ^ c.word[3] ^ key1;
        c.word[3] = product0;
        key0 += PHILOX_KEY_STEP_0;
        key1 += PHILOX_KEY_STEP_1;
    }
    return c;
}

typedef struct random_stream {
    uint64_t seed, stream;
    uint8_t purpose;
} random_stream;

// Lane `first` + i of the four rows' blocks: block (first + i)%4 of row (first + i)/4. `index` is that of the first row's first block.
INLINE philox_words words_of(random_stream s, uint64_t index, uint64_t blocks_per_row, int first) {
    vul block;
    UNROLL for (int i = 0; i < LANES; i++) block[i] = index + (uint64_t)((first + i) / 4) * blocks_per_row + (uint64_t)((first + i) % 4);
    philox_words counter = {{block, block >> 32, (vul){0} + philox_stream_low(s.stream), (vul){0} + philox_stream_high(s.stream, s.purpose)}};
    return philox_lanes(counter, (uint32_t)s.seed, (uint32_t)(s.seed >> 32));
}

INLINE vu word_of(vul w) { return __builtin_convertvector(w, vu); }

// The top 24 bits, times 2⁻²⁴: every value in [0, 1) is exact.
INLINE vf unit_of(vu word) { return __builtin_convertvector((vi)(word >> 8), vf) * 0x1p-24f; }

INLINE void uniform_of(const fathom_random_arguments *a, const philox_words *w, vf out[4]) {
    UNROLL for (int k = 0; k < 4; k++) out[k] = vf_fma(unit_of(word_of(w->word[k])), vf_set(a->b - a->a), vf_set(a->a));
}

// Box and Muller 1958. The radius's uniform is (word + ½)·2⁻³², in (0, 1], so that deviates reach 6.7 deviations.
INLINE void normal_of(const fathom_random_arguments *a, const philox_words *w, vf out[4]) {
    UNROLL for (int k = 0; k < 4; k += 2) {
        vf u = vf_fma(__builtin_convertvector(word_of(w->word[k]), vf), vf_set(0x1p-32f), vf_set(0x1p-33f));
        vf radius = vf_sqrt(vf_log(u) * -2), sine, cosine;
        vf_sincos_2pi(unit_of(word_of(w->word[k + 1])), &sine, &cosine);
        out[k] = vf_fma(radius * cosine, vf_set(a->b), vf_set(a->a));
        out[k + 1] = vf_fma(radius * sine, vf_set(a->b), vf_set(a->a));
    }
}

INLINE void random_of(const fathom_random_arguments *a, fathom_range range, void (*deviates)(const fathom_random_arguments *, const philox_words *, vf *)) {
    uint64_t blocks_per_row = 4 * fathom_panels(a->columns);
    random_stream stream = {a->seed, a->stream, a->purpose};
    for (size_t p = range.panel_begin; p < range.panel_end; p++)
        for (size_t r = range.row_begin; r < range.row_end; r += RANDOM_ROWS) {
            float element[RANDOM_ROWS * FATHOM_PANEL] __attribute__((aligned(64)));
            UNROLL for (int q = 0; q < VECTORS; q++) {
                philox_words w = words_of(stream, r * blocks_per_row + 4 * p, blocks_per_row, q * LANES);
                vf out[4];
                deviates(a, &w, out);
                UNROLL for (int i = 0; i < LANES; i++) UNROLL for (int k = 0; k < 4; k++) element[4 * (q * LANES + i) + k] = out[k][i];
            }
            size_t rows = range.row_end - r < RANDOM_ROWS ? range.row_end - r : RANDOM_ROWS;
            for (size_t i = 0; i < rows * VECTORS; i++) {
                vi live = vi_below(p * FATHOM_PANEL + i % VECTORS * LANES, a->columns);
                vf_store(a->x + p * a->x_stride + r * FATHOM_PANEL + i * LANES, vf_select(live, vf_load(element + i * LANES), vf_set(0)));
            }
        }
}

static void KERNEL(random_uniform)(const fathom_arguments *arguments, fathom_range range) {
    random_of(&arguments->random, range, uniform_of);
}

static void KERNEL(random_normal)(const fathom_arguments *arguments, fathom_range range) {
    random_of(&arguments->random, range, normal_of);
}
