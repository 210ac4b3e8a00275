// A shuffled minibatch from row-major data into panels. Eight rows of a panel at a time: their eight cache lines are written one after the other,
// and mean and scale are read once for all of them. What is read never passes the last column of a step: the source may end there.
// The panels of the grid are steps: a step's rows are a matrix, its columns a stretch of each source row.

enum { GATHER_ROWS = 8 };

typedef uint8_t unaligned_bytes __attribute__((vector_size(LANES), aligned(1)));
typedef float unaligned_floats __attribute__((vector_size(4 * LANES), aligned(4)));

INLINE vf widen_bytes(const void *p) { return __builtin_convertvector(*(const unaligned_bytes *)p, vf); }
INLINE vf widen_floats(const void *p) { return *(const unaligned_floats *)p; }

typedef float four __attribute__((vector_size(16)));
typedef float four_floats __attribute__((vector_size(16), aligned(4)));
typedef uint8_t four_bytes __attribute__((vector_size(4), aligned(1)));

INLINE four widen_four(const char *source, size_t size) {
    return size == 1 ? __builtin_convertvector(*(const four_bytes *)source, four) : *(const four_floats *)source;
}

// One element; its alignment may be that of a byte.
INLINE float element(const char *source, size_t size) {
    if (size == 1) return (uint8_t)*source;
    float value;
    __builtin_memcpy(&value, source, sizeof value);
    return value;
}

// `size` bytes an element, `widen` LANES of them to floats; all settled when this is inlined.
// `rows` ≤ GATHER_ROWS rows of one step from row r on: row i's columns begin `skipped` bytes behind source[i]; those behind next[i] are gathered next and asked for.
INLINE void gather_step(const fathom_gather_arguments *g, size_t step, size_t r, size_t rows, const char *const source[], const char *const next[], size_t skipped,
                        size_t size, vf (*widen)(const void *), bool standardize) {
    size_t whole = g->columns / FATHOM_PANEL, rest = g->columns % FATHOM_PANEL, padded = step * FATHOM_PANEL * fathom_panels(g->columns);
    float *first = g->x + (step * g->rows + r) * FATHOM_PANEL;
    for (size_t p = 0; p < whole; p++) {
        size_t c = p * FATHOM_PANEL, at = skipped + c * size;
        float *x = first + p * g->x_stride;
        vf mean[VECTORS], scale[VECTORS];
        if (standardize) UNROLL for (int q = 0; q < VECTORS; q++) {
            mean[q] = vf_load(g->mean + padded + c + q * LANES);
            scale[q] = vf_load(g->scale + padded + c + q * LANES);
        }
        ROLLED for (size_t i = 0; i < rows; i++) {
            if (c * size % 64 == 0) __builtin_prefetch(next[i] + at);
            UNROLL for (int q = 0; q < VECTORS; q++) {
                vf value = widen(source[i] + at + q * LANES * size);
                if (standardize) value = (value - mean[q]) * scale[q];
                vf_store(x + i * FATHOM_PANEL + q * LANES, value);
            }
        }
    }
    // As many whole vectors as there are; then zeros, over them four elements at a time, and the last ones singly.
    if (rest == 0) return;
    size_t begin = whole * FATHOM_PANEL, c = 0;
    const float *mean = standardize ? g->mean + padded + begin : NULL, *scale = standardize ? g->scale + padded + begin : NULL;
    float *x = first + whole * g->x_stride;
    skipped += begin * size;
    for (; c + LANES <= rest; c += LANES) ROLLED for (size_t i = 0; i < rows; i++) {
        vf value = widen(source[i] + skipped + c * size);
        if (standardize) value = (value - vf_load(mean + c)) * vf_load(scale + c);
        vf_store(x + i * FATHOM_PANEL + c, value);
    }
    for (size_t q = c / LANES; q < VECTORS; q++) ROLLED for (size_t i = 0; i < rows; i++) vf_store(x + i * FATHOM_PANEL + q * LANES, vf_set(0));
    for (; c + 4 <= rest; c += 4) ROLLED for (size_t i = 0; i < rows; i++) {
        four value = widen_four(source[i] + skipped + c * size, size);
        if (standardize) value = (value - *(const four_floats *)(mean + c)) * *(const four_floats *)(scale + c);
        *(four_floats *)(x + i * FATHOM_PANEL + c) = value;
    }
    for (; c < rest; c++) {
        ROLLED for (size_t i = 0; i < rows; i++) {
            float value = element(source[i] + skipped + c * size, size);
            x[i * FATHOM_PANEL + c] = standardize ? (value - mean[c]) * scale[c] : value;
        }
    }
}

// Where rows r ..< r + rows of the batch begin.
INLINE void gather_from(const fathom_gather_arguments *g, size_t r, size_t rows, size_t size, const char *from[]) {
    ROLLED for (size_t i = 0; i < rows; i++) from[i] = (const char *)g->source + size * g->source_stride * (g->order ? g->order[r + i] : r + i);
}

INLINE void gather(const fathom_gather_arguments *g, fathom_range range, size_t size, vf (*widen)(const void *), bool standardize) {
    const char *from[2][GATHER_ROWS];  // the rows gathered, and those that follow; behind the last ones these again, so that what is asked for exists
    size_t rows = least(range.row_end - range.row_begin, GATHER_ROWS), following, which = 0;
    gather_from(g, range.row_begin, rows, size, from[0]);
    for (size_t r = range.row_begin; r < range.row_end; r += rows, rows = following, which = !which) {
        following = least(range.row_end - r - rows, GATHER_ROWS);
        gather_from(g, r + rows, following, size, from[!which]);
        ROLLED for (size_t i = following; i < rows; i++) from[!which][i] = from[which][i];
        for (size_t t = range.panel_begin; t < range.panel_end; t++)
            gather_step(g, t, r, rows, from[which], from[!which], size * t * g->columns, size, widen, standardize);
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
