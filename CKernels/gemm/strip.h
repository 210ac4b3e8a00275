// The microkernel of the three matrix products: a strip of register tiles, one below the other, over one block of k,
//
//     C[i][j] = C[i][j] + Σ A(i, k)·B[k][j]        each element one chain of fused multiply-adds, k ascending,
//
// `rows` rows of some panels at a time held in registers. A's elements are broadcast, B's rows are vectors. With `half` a further panel is in the tile, a last one of at
// most half its columns, of which a vector has those of two rows.
//
// Parameters of the include:
//   COLUMNS  columns taken from each panel of B and C: 16, or 8 for a last panel with at most 8 live columns
//   WIDTH    lanes of a vector: LANES, but at most COLUMNS
//   STRIP(n) the name of what is defined here
// Needs simd/vector.h and `struct strip` of gemm/product.h.

typedef float STRIP(vector) __attribute__((vector_size(4 * WIDTH)));
typedef int32_t STRIP(mask) __attribute__((vector_size(4 * WIDTH)));

INLINE STRIP(vector) STRIP(fma)(STRIP(vector) a, STRIP(vector) b, STRIP(vector) c) {
#ifdef EMULATE_FMA
    return vf_fma(a, b, c);
#else
    return __builtin_elementwise_fma(a, b, c);
#endif
}

#define PER_PANEL (COLUMNS / WIDTH)  // vectors

// Lanes i with base + i < count.
INLINE STRIP(mask) STRIP(below)(size_t base, size_t count) {
    STRIP(mask) lane;
    UNROLL for (int i = 0; i < WIDTH; i++) lane[i] = i;
    return lane < (int32_t)(count > base ? (count - base < WIDTH ? count - base : WIDTH) : 0) - (STRIP(mask)){0};
}

// Of a vector of two rows, the lanes i of each half with i < count.
INLINE STRIP(mask) STRIP(below_in_halves)(size_t count) {
    STRIP(mask) lane;
    UNROLL for (int i = 0; i < WIDTH; i++) lane[i] = i < WIDTH / 2 ? i : i - WIDTH / 2;
    return lane < (int32_t)count - (STRIP(mask)){0};
}

// Vector j of row i of a tile in panels.
INLINE STRIP(vector) *STRIP(at)(const float *m, size_t stride, int i, int j) {
    return (STRIP(vector) *)(m + j / PER_PANEL * stride + i * 16 + j % PER_PANEL * WIDTH);
}

// Where row i of the panel behind `vectors` vectors begins.
INLINE float *STRIP(behind)(const float *m, size_t stride, int i, int vectors) { return (float *)STRIP(at)(m, stride, i, vectors); }

// The first WIDTH/2 floats at `low`, then those at `high`.
INLINE STRIP(vector) STRIP(load_two)(const float *low, const float *high) {
    STRIP(vector) v;
    __builtin_memcpy(&v, low, sizeof v / 2);
    __builtin_memcpy((char *)&v + sizeof v / 2, high, sizeof v / 2);
    return v;
}

// One step of k: the outer product of `rows` elements of A, a_row floats apart, and one row of B.
INLINE void STRIP(step)(
    STRIP(vector) *sum, int rows, int vectors, bool half, STRIP(mask) first, const float *a, size_t a_row, const float *b, size_t b_stride) {
    STRIP(vector) right[TILE_WIDEST], behind = {0}, above = {0};
    UNROLL for (int j = 0; j < vectors; j++) right[j] = *STRIP(at)(b, b_stride, 0, j);
    if (half) behind = STRIP(load_two)(STRIP(behind)(b, b_stride, 0, vectors), STRIP(behind)(b, b_stride, 0, vectors));
    UNROLL for (int i = 0; i < rows; i++) {
        STRIP(vector) left = a[i * a_row] - (STRIP(vector)){0};
        UNROLL for (int j = 0; j < vectors; j++) sum[i * vectors + j] = STRIP(fma)(left, right[j], sum[i * vectors + j]);
        if (half && (i % 2 == 1 || i + 1 == rows)) {
            STRIP(vector) both = i % 2 == 0 ? left : (STRIP(vector))((first & (STRIP(mask))above) | (~first & (STRIP(mask))left));
            sum[rows * vectors + i / 2] = STRIP(fma)(both, behind, sum[rows * vectors + i / 2]);
        }
        above = left;
    }
}

// A(i, k) is at a + i·a_row + k/16·a_block + k%16·a_step. Inlined with constant rows, vectors, half, a_row and a_step, so that every loop over rows
// and vectors is unrolled and the sums are registers.
INLINE void STRIP(tiles)(const strip *s, size_t tiles, int rows, int vectors, bool half, size_t a_row, size_t a_step) {
    const float *tile_a = s->a;
    float *tile_c = s->c;
    lines *ahead = s->ahead;
    int pairs = half ? (rows + 1) / 2 : 0, alone = rows * vectors, sums = alone + pairs, panels = vectors / PER_PANEL + half, lines_ahead = LINES_AHEAD / panels;
    STRIP(mask) first = STRIP(below)(0, s->first);
    size_t below = 0;  // by columns: rows of this panel of A that are done
    for (size_t t = 0; t < tiles; t++, tile_a += rows * a_row, tile_c += rows * 16) {
        STRIP(vector) sum[TILE_VECTORS];
        UNROLL for (int i = 0; i < sums; i++) sum[i] = (STRIP(vector)){0};
        if (!s->from_zero) {
            UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++)
                sum[i * vectors + j] = *STRIP(at)(tile_c, s->c_stride, i, j);
            UNROLL for (int h = 0; h < pairs; h++) {
                const float *c = STRIP(behind)(tile_c, s->c_stride, 2 * h, vectors);
                sum[alone + h] = STRIP(load_two)(c, 2 * h + 1 < rows ? c + 16 : c);
            }
        }

        // The next tile of C, written long ago, while this one is computed.
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int q = 0; q < panels; q++)
            __builtin_prefetch(tile_c + q * s->c_stride + 16 * (rows + i));

        const float *a = tile_a, *b = s->b;
        for (size_t left = s->steps; left > 0; a += s->a_block) {
            size_t steps = left < 16 ? left : 16;
            left -= steps;
            // A few at a time, from each panel: a tile's whole share at once would wait in line, and the tile behind it.
            if (ahead->next < ahead->end) {
                UNROLL for (int i = 0; i < lines_ahead; i++) UNROLL for (int q = 0; q < panels; q++)
                    __builtin_prefetch(ahead->next + q * ahead->stride + 16 * i);
                ahead->next += 16 * lines_ahead;
                if (ahead->runs > 0 && ahead->next >= ahead->end) next_run(ahead);
            }
            // The rows below; of columns the next 16, together.
            if (ahead->left) {
                if (a_row == 16) UNROLL for (int i = 0; i < rows; i++) __builtin_prefetch(a + 16 * (rows + i));
                else if (below == 0) UNROLL for (int i = 0; i < 16; i++) __builtin_prefetch(a + s->a_panel + 16 * i);
            }
            const float *column = a;
            // Four steps a turn: what a turn costs besides multiply-adds is time where another thread shares the core. Without the fences clang hoists the loads of
            // all four until the sums spill.
            for (; steps >= 4; steps -= 4, b += 4 * 16, column += 4 * a_step) {
                STRIP(step)(sum, rows, vectors, half, first, column, a_row, b, s->b_stride);
                FENCE;
                STRIP(step)(sum, rows, vectors, half, first, column + a_step, a_row, b + 16, s->b_stride);
                FENCE;
                STRIP(step)(sum, rows, vectors, half, first, column + 2 * a_step, a_row, b + 2 * 16, s->b_stride);
                FENCE;
                STRIP(step)(sum, rows, vectors, half, first, column + 3 * a_step, a_row, b + 3 * 16, s->b_stride);
                FENCE;
            }
            _Pragma("clang loop unroll(disable)")
            for (; steps > 0; steps--, b += 16, column += a_step) STRIP(step)(sum, rows, vectors, half, first, column, a_row, b, s->b_stride);
        }

        if (s->bias) {
            UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++)
                sum[i * vectors + j] += *STRIP(at)(s->bias, 16, 0, j);
            const float *behind = STRIP(behind)(s->bias, 16, 0, vectors);
            UNROLL for (int h = 0; h < pairs; h++) sum[alone + h] += STRIP(load_two)(behind, behind);
        }
        if (s->rectify)  // NaN stays, −0 becomes +0
            UNROLL for (int i = 0; i < sums; i++) sum[i] = (STRIP(vector))(~(sum[i] <= 0) & (STRIP(mask))sum[i]);
        if (half) {
            STRIP(mask) live = STRIP(below_in_halves)(s->live);
            UNROLL for (int h = 0; h < pairs; h++) sum[alone + h] = (STRIP(vector))(live & (STRIP(mask))sum[alone + h]);
        } else if (s->live < COLUMNS)
            UNROLL for (int j = 0; j < PER_PANEL; j++) {
                STRIP(mask) live = STRIP(below)(j * WIDTH, s->live);
                UNROLL for (int i = 0; i < rows; i++) {
                    STRIP(vector) *last = &sum[(i + 1) * vectors - PER_PANEL + j];
                    *last = (STRIP(vector))(live & (STRIP(mask))*last);
                }
            }
        if (COLUMNS < 16 && s->live < 16)  // the other half is padding
            UNROLL for (int i = 0; i < rows; i++) __builtin_memset(tile_c + 16 * i + COLUMNS, 0, 4 * (16 - COLUMNS));
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++)
            *STRIP(at)(tile_c, s->c_stride, i, j) = sum[i * vectors + j];
        if (half)
            UNROLL for (int i = 0; i < rows; i++) {
                float *c = STRIP(behind)(tile_c, s->c_stride, i, vectors);
                __builtin_memcpy(c, (char *)&sum[alone + i / 2] + i % 2 * (2 * WIDTH), 2 * WIDTH);
                __builtin_memset(c + WIDTH / 2, 0, 4 * (16 - WIDTH / 2));
            }
        if (a_row == 1 && (below += rows) == 16) {
            below = 0;
            tile_a += s->a_panel - 16;
        }
    }
}

#undef PER_PANEL
