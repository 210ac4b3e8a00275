// Dropout: the mask from the words of Philox, one bit an element, and its product with what passes. Operation for operation reference/elementwise.c.
// What is dropped is +0 even where it was not finite: it is selected, not multiplied.

// The lanes' bits within the 16 of a panel row.
INLINE vi bits_of_lanes(int first) {
    vi bits;
    UNROLL for (int i = 0; i < LANES; i++) bits[i] = 1 << (first + i);
    return bits;
}

// Four rows of a panel are 16 blocks, as in random/random.h, `blocks` from one row to the next. Words 0, …, 63 are those of the rows in order.
INLINE void dropout_words(random_stream s, uint64_t index, uint64_t blocks, uint32_t word[RANDOM_ROWS * FATHOM_PANEL]) {
    UNROLL for (int q = 0; q < VECTORS; q++) {
        philox_words w = words_of(s, index, blocks, q * LANES);
        vu out[4];
        UNROLL for (int k = 0; k < 4; k++) out[k] = word_of(w.word[k]);
        UNROLL for (int i = 0; i < LANES; i++) UNROLL for (int k = 0; k < 4; k++) word[4 * (q * LANES + i) + k] = out[k][i];
    }
}

static void KERNEL(dropout_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_dropout_arguments *d = &arguments->dropout;
    random_stream stream = {d->seed, (uint64_t)d->layer << 32 | (uint32_t)d->batch->step, d->purpose};
    uint64_t blocks_per_row = 4 * fathom_panels(d->columns);
    size_t samples = d->rows / d->steps, rows;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, d->columns);
        for (size_t r = range.row_begin; r < range.row_end; r += rows) {
            size_t step = r / samples, sample = r % samples, left = range.row_end - r;
            rows = samples - sample < RANDOM_ROWS ? samples - sample : RANDOM_ROWS;
            if (left < rows) rows = left;
            uint32_t word[RANDOM_ROWS * FATHOM_PANEL] __attribute__((aligned(64)));
            uint64_t first = ((d->batch->first_row + sample) * d->steps + step) * blocks_per_row + 4 * p;
            dropout_words(stream, first, d->steps * blocks_per_row, word);
            for (size_t i = 0; i < rows; i++) {
                vi bits = {0};
                UNROLL for (int q = 0; q < VECTORS; q++) {
                    size_t at = (r + i) * FATHOM_PANEL + q * LANES;
                    vi kept = (*(const vu *)(word + i * FATHOM_PANEL + q * LANES) >= (vu){0} + d->threshold) & live[q];
                    vf_store(d->y + p * d->y_stride + at, vf_where(kept, vf_load(d->x + p * d->x_stride + at) * d->scale));
                    bits |= kept & bits_of_lanes(q * LANES);
                }
                d->mask[p * d->rows + r + i] = (uint16_t)__builtin_reduce_or(bits);
            }
        }
    }
}

static void KERNEL(dropout_backward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_dropout_arguments *d = &arguments->dropout;
    for (size_t p = range.panel_begin; p < range.panel_end; p++)
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            vi row = vi_set(d->mask[p * d->rows + r]);
            UNROLL for (int q = 0; q < VECTORS; q++) {
                size_t at = r * FATHOM_PANEL + q * LANES;
                vi kept = (row & bits_of_lanes(q * LANES)) != 0;
                vf_store(d->y + p * d->y_stride + at, vf_where(kept, vf_load(d->x + p * d->x_stride + at) * d->scale));
            }
        }
}
