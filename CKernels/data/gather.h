// A shuffled minibatch from row-major data into panels. Eight rows of a panel at a time: their eight cache lines are written one after the other,
// and mean and scale are read once for all of them. What is read never passes the last column of a row: the source may end there.

enum { GATHER_ROWS = 8 };

typedef uint8_t unaligned_bytes __attribute__((vector_size(LANES), aligned(1)));
typedef float unaligned_floats __attribute__((vector_size(4 * LANES), aligned(4)));

INLINE vf widen_bytes(const void *p) { return __builtin_convertvector(*(const unaligned_bytes *)p, vf); }
INLINE vf widen_floats(const void *p) { return *(const unaligned_floats *)p; }

// `size` bytes an element, `widen` LANES of them to floats; all settled when this is inlined.
INLINE void gather(const fathom_gather_arguments *g, fathom_range range, size_t size, vf (*widen)(const void *), bool standardize) {
    size_t whole = g->columns / FATHOM_PANEL, rest = g->columns % FATHOM_PANEL;
    for (size_t r = range.row_begin; r < range.row_end; r += GATHER_ROWS) {
        size_t rows = range.row_end - r < GATHER_ROWS ? range.row_end - r : GATHER_ROWS;
        const char *source[GATHER_ROWS], *next[GATHER_ROWS];
        for (size_t i = 0; i < rows; i++) {
            size_t ahead = r + i + GATHER_ROWS < range.row_end ? r + i + GATHER_ROWS : r + i;
            source[i] = (const char *)g->source + size * g->source_stride * (g->order ? g->order[r + i] : r + i);
            next[i] = (const char *)g->source + size * g->source_stride * (g->order ? g->order[ahead] : ahead);
        }
        for (size_t p = 0; p < whole; p++) {
            size_t c = p * FATHOM_PANEL;
            float *x = g->x + p * g->x_stride + r * FATHOM_PANEL;
            vf mean[VECTORS], scale[VECTORS];
            if (standardize) UNROLL for (int q = 0; q < VECTORS; q++) {
                mean[q] = vf_load(g->mean + c + q * LANES);
                scale[q] = vf_load(g->scale + c + q * LANES);
            }
            for (size_t i = 0; i < rows; i++) {
                if (c * size % 64 == 0) __builtin_prefetch(next[i] + c * size);
                UNROLL for (int q = 0; q < VECTORS; q++) {
                    vf value = widen(source[i] + (c + q * LANES) * size);
                    if (standardize) value = (value - mean[q]) * scale[q];
                    vf_store(x + i * FATHOM_PANEL + q * LANES, value);
                }
            }
        }
        if (rest) for (size_t i = 0; i < rows; i++) {
            char tail[FATHOM_PANEL * sizeof(float)] = {0};
            __builtin_memcpy(tail, source[i] + whole * FATHOM_PANEL * size, rest * size);
            UNROLL for (int q = 0; q < VECTORS; q++) {
                size_t c = whole * FATHOM_PANEL + q * LANES;
                vf value = widen(tail + q * LANES * size);
                if (standardize) value = (value - vf_load(g->mean + c)) * vf_load(g->scale + c);
                vf_store(g->x + whole * g->x_stride + (r + i) * FATHOM_PANEL + q * LANES, vf_select(vi_below(c, g->columns), value, vf_set(0)));
            }
        }
    }
}

static void KERNEL(gather_bytes)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_arguments *g = &arguments->gather;
    if (g->mean) gather(g, range, 1, widen_bytes, true);
    else gather(g, range, 1, widen_bytes, false);
}

static void KERNEL(gather_floats)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gather_arguments *g = &arguments->gather;
    if (g->mean) gather(g, range, 4, widen_floats, true);
    else gather(g, range, 4, widen_floats, false);
}
