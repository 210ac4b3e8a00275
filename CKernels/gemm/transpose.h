// T = Mᵀ in panels: blocks of 16×16, each one contiguous run of 1 KiB on both sides.
// Needs simd/vector.h and gemm/product.h.
//
// A block of LANES×LANES is transposed by exchanging ever larger squares: single elements and pairs within each run of
// four lanes, then runs of four and of eight between vectors. The words below are one shuffle instruction each.

#if LANES == 4
#define FIRST_ELEMENTS 0, 4, 1, 5
#define LAST_ELEMENTS 2, 6, 3, 7
#define FIRST_PAIRS 0, 1, 4, 5
#define LAST_PAIRS 2, 3, 6, 7
#elif LANES == 8
#define FIRST_ELEMENTS 0, 8, 1, 9, 4, 12, 5, 13
#define LAST_ELEMENTS 2, 10, 3, 11, 6, 14, 7, 15
#define FIRST_PAIRS 0, 1, 8, 9, 4, 5, 12, 13
#define LAST_PAIRS 2, 3, 10, 11, 6, 7, 14, 15
#define FIRST_HALVES 0, 1, 2, 3, 8, 9, 10, 11
#define LAST_HALVES 4, 5, 6, 7, 12, 13, 14, 15
#elif LANES == 16
#define FIRST_ELEMENTS 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define LAST_ELEMENTS 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define FIRST_PAIRS 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define LAST_PAIRS 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define EVEN_QUARTERS 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define ODD_QUARTERS 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#endif

// The transposes of the 4×4 squares within four vectors, in place.
INLINE void KERNEL(transpose_fours)(vf *v) {
    vf a = __builtin_shufflevector(v[0], v[1], FIRST_ELEMENTS), b = __builtin_shufflevector(v[2], v[3], FIRST_ELEMENTS);
    vf c = __builtin_shufflevector(v[0], v[1], LAST_ELEMENTS), d = __builtin_shufflevector(v[2], v[3], LAST_ELEMENTS);
    v[0] = __builtin_shufflevector(a, b, FIRST_PAIRS);
    v[1] = __builtin_shufflevector(a, b, LAST_PAIRS);
    v[2] = __builtin_shufflevector(c, d, FIRST_PAIRS);
    v[3] = __builtin_shufflevector(c, d, LAST_PAIRS);
}

// The transpose of LANES vectors, in place.
INLINE void KERNEL(transpose_square)(vf *v) {
    UNROLL for (int i = 0; i < LANES; i += 4) KERNEL(transpose_fours)(v + i);
#if LANES == 8
    UNROLL for (int i = 0; i < 4; i++) {
        vf a = v[i], b = v[i + 4];
        v[i] = __builtin_shufflevector(a, b, FIRST_HALVES);
        v[i + 4] = __builtin_shufflevector(a, b, LAST_HALVES);
    }
#elif LANES == 16
    // Quarter q of vector 4p + i becomes quarter p of vector 4q + i: a 4×4 transpose of quarters, for each i.
    UNROLL for (int i = 0; i < 4; i++) {
        vf a = __builtin_shufflevector(v[i], v[i + 4], EVEN_QUARTERS), b = __builtin_shufflevector(v[i + 8], v[i + 12], EVEN_QUARTERS);
        vf c = __builtin_shufflevector(v[i], v[i + 4], ODD_QUARTERS), d = __builtin_shufflevector(v[i + 8], v[i + 12], ODD_QUARTERS);
        v[i] = __builtin_shufflevector(a, b, EVEN_QUARTERS);
        v[i + 8] = __builtin_shufflevector(a, b, ODD_QUARTERS);
        v[i + 4] = __builtin_shufflevector(c, d, EVEN_QUARTERS);
        v[i + 12] = __builtin_shufflevector(c, d, ODD_QUARTERS);
    }
#endif
}

INLINE void KERNEL(transpose_some)(const float *m, float *t, size_t rows, size_t columns) {
    for (size_t r = 0; r < 16; r += LANES)
        for (size_t c = 0; c < columns; c += LANES) {
            vf v[LANES];
            UNROLL for (int i = 0; i < LANES; i++) v[i] = r + i < rows ? vf_load(m + 16 * (r + i) + c) : vf_set(0);
            KERNEL(transpose_square)(v);
            UNROLL for (int i = 0; i < LANES; i++)
                if (c + i < columns) vf_store(t + 16 * (c + i) + r, v[i]);
        }
}

// One block: 16 rows of a panel of M, of which `rows` exist, to 16 rows of a panel of T, of which `columns` exist. Rows that do not exist
// count as zero, and become the padding lanes of T.
static void KERNEL(transpose_block)(const float *m, float *t, size_t rows, size_t columns) {
    if (rows == 16 && columns == 16) KERNEL(transpose_some)(m, t, 16, 16);
    else KERNEL(transpose_some)(m, t, rows, columns);
}

// The range is of T. Blocks follow each other down a panel of M; the other order, down a panel of T, took a third longer on 1024×1024.
static void KERNEL(transpose)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_transpose_arguments *a = &arguments->transpose;
    for (size_t row = range.row_begin; row < range.row_end; row += 16)
        for (size_t panel = range.panel_begin; panel < range.panel_end; panel++) {
            const float *m = a->m + row / 16 * a->m_stride + 16 * 16 * panel;
            float *t = a->t + panel * a->t_stride + 16 * row;
            KERNEL(transpose_block)(m, t, least(16, a->rows - 16 * panel), least(16, a->columns - row));
        }
}

#undef FIRST_ELEMENTS
#undef LAST_ELEMENTS
#undef FIRST_PAIRS
#undef LAST_PAIRS
#undef FIRST_HALVES
#undef LAST_HALVES
#undef EVEN_QUARTERS
#undef ODD_QUARTERS
