// The gradients of a dense layer's parameters: dW = Xᵀ·dY, and beside it db = Σ_r dY[r]. Both are chains over the rows, ascending.
//
// Parameters of the include, per instruction set:
//   WGRAD_DEPTH_BLOCK  rows for which a block of dY stays in the first-level cache; a multiple of 16
//   WGRAD_SQUARE       panels of X and of dY whose blocks, and the square of dW where they meet, stay in the second-level cache
// Needs gemm/product.h, gemm/transpose.h and reduce/squared_norm.h.

enum {
    TOGETHER = 8,  // panels of X for one call of the microkernel, where tiles of the usual height fill a panel,
    FEW = 16,      // or where the rows are so few that a call costs as much as its work
};

// The squares of finished blocks of dW, still in the first-level cache.
INLINE void sum_squares(const fathom_gemm_wgrad_arguments *a, size_t row, size_t rows, size_t panel) {
    for (size_t end = row + rows; row < end; row += 16)
        a->squares[(a->inputs + 15) / 16 * panel + row / 16] = block_squares(a->dw + panel * a->dw_stride + 16 * row, least(16, end - row), vf_set(0), false);
}

// One square of dW: blocks of rows, in them panels of dY, whose block stays in the first-level cache for all panels of X. A call of the microkernel has the rows of
// one panel of X, or of several, in tiles of a height that divides a panel's.
static void KERNEL(wgrad_square)(const fathom_gemm_wgrad_arguments *a, const product *p, fathom_range range) {
    size_t depth_block = even_part(p->depth, WGRAD_DEPTH_BLOCK, 16), k = 0;
    size_t most_rows = least(16, range.row_end - range.row_begin), height = 0, together = 0;
    tiling t = {.width = TILE_WIDTHS};
    do {
        size_t steps = least(depth_block, p->depth - k);
        for (size_t panel = range.panel_begin; panel < range.panel_end;) {
            tile_width width = choose_width(p, most_rows, panel, range.panel_end);
            if (width != t.width) {
                height = dividing_height(width);
                together = tiling_of(16, width).tall == 0 || p->depth <= FEW ? 16 * TOGETHER : 16;
            }
            size_t end = panel + panels_of(width);
            lines ahead = next_block(p, range, panel, end, k, steps, depth_block);
            for (size_t row = range.row_begin, rows; row < range.row_end; row += rows) {
                rows = least(together, range.row_end - row);
                if (rows > 16 && rows % height > 0) rows -= rows % 16;
                if (width != t.width || rows != t.rows)
                    t = rows > 16 ? (tiling){.width = width, .rows = rows, .low = rows / height, .height = height} : tiling_of(rows, width);
                KERNEL(multiply_block)(p, row, &t, k, steps, panel, p->b + panel * p->b_stride + 16 * k, p->b_stride, &ahead);
                if (k + steps < p->depth) continue;
                for (size_t q = panel; a->squares && q < end; q++) sum_squares(a, row, rows, q);
            }
            panel = end;
        }
        k += steps;
    } while (k < p->depth);
}

// Whether so many columns of dY are better broadcast than read as vectors, of which much would be padding.
INLINE bool wgrad_is_narrow(const fathom_gemm_wgrad_arguments *a) {
    size_t read = VECTORS > 1 && a->outputs <= 8 ? 8 : 16;
    return a->outputs > 0 && 4 * a->outputs <= 3 * read && !a->accumulate;
}

// dWᵀ = dYᵀ·X, whose vectors lie along X's columns, a few panels of X at a time; then turned.
static void KERNEL(wgrad_narrow)(const fathom_gemm_wgrad_arguments *a, fathom_range range) {
    _Alignas(64) float turned[4 * 16 * 16];
    product p = {
        .orientation = BY_COLUMNS,
        .a = a->dy, .a_stride = a->dy_stride,
        .b_stride = a->x_stride,
        .c = turned, .c_stride = 16 * 16,
        .depth = a->rows,
    };
    tiling t = {.width = TILE_WIDTHS};
    for (size_t row = range.row_begin; row < range.row_end;) {
        p.b = a->x + row / 16 * a->x_stride;
        p.columns = range.row_end - row;
        tile_width width = choose_width(&p, a->outputs, 0, (p.columns + 15) / 16);
        if (width != t.width) t = tiling_of(a->outputs, width);
        lines none = {0};
        KERNEL(multiply_block)(&p, 0, &t, 0, p.depth, 0, p.b, p.b_stride, &none);
        for (size_t q = 0; q < panels_of(width) && row < range.row_end; q++, row += 16) {
            size_t rows = least(16, range.row_end - row);
            KERNEL(transpose_block)(turned + 16 * 16 * q, a->dw + 16 * row, a->outputs, rows);
            if (a->squares) sum_squares(a, row, rows, 0);
        }
    }
}

// Of a single row dW is only to be written, as fast as memory takes it: tiles would begin and end with every few rows of it.
static void KERNEL(wgrad_of_one)(const fathom_gemm_wgrad_arguments *a, fathom_range range) {
    for (size_t panel = range.panel_begin; panel < range.panel_end; panel++) {
        size_t live = a->outputs - 16 * panel;
        vf dy[VECTORS];
        UNROLL for (int q = 0; q < VECTORS; q++) dy[q] = vf_load(a->dy + panel * a->dy_stride + LANES * q);
        for (size_t row = range.row_begin; row < range.row_end; row += 16) {
            size_t rows = least(16, range.row_end - row);
            const float *x = a->x + row / 16 * a->x_stride;
            float *dw = a->dw + panel * a->dw_stride + 16 * row;
            for (size_t i = 0; i < rows; i++)
                UNROLL for (int q = 0; q < VECTORS; q++) vf_store(dw + 16 * i + LANES * q, vf_fma(vf_set(x[i]), dy[q], vf_set(0)));
            if (live < 16) KERNEL(clear_padding)(dw, rows, live);
            if (a->squares) sum_squares(a, row, rows, panel);
        }
    }
}

// Squares of dW stay in the second-level cache, with the blocks of X and dY that meet in them, for all rows.
static void KERNEL(gemm_wgrad)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gemm_wgrad_arguments *a = &arguments->gemm_wgrad;
    if (wgrad_is_narrow(a)) return KERNEL(wgrad_narrow)(a, range);
    if (a->rows == 1 && !a->accumulate) return KERNEL(wgrad_of_one)(a, range);
    product p = {
        .orientation = BY_COLUMNS,
        .a = a->x, .a_stride = a->x_stride,
        .b = a->dy, .b_stride = a->dy_stride,
        .c = a->dw, .c_stride = a->dw_stride,
        .depth = a->rows, .columns = a->outputs,
        .accumulate = a->accumulate,
    };
    for (size_t row = range.row_begin; row < range.row_end; row += 16 * WGRAD_SQUARE)
        for (size_t panel = range.panel_begin; panel < range.panel_end; panel += WGRAD_SQUARE) {
            size_t row_end = least(row + 16 * WGRAD_SQUARE, range.row_end), panel_end = least(panel + WGRAD_SQUARE, range.panel_end);
            KERNEL(wgrad_square)(a, &p, (fathom_range){row, row_end, panel, panel_end});
        }
}

// The sums of `panels` (at most 4) neighbouring panels: so many chains of additions that their latency is hidden.
INLINE void KERNEL(sum_rows)(const fathom_bias_gradient_arguments *a, size_t panel, int panels) {
    const float *dy = a->dy + panel * a->dy_stride;
    float *db = a->db + 16 * panel;
    vf sum[4 * VECTORS];
    UNROLL for (int j = 0; j < panels * VECTORS; j++) sum[j] = a->accumulate ? vf_load(db + j * LANES) : vf_set(0);
    for (size_t r = 0; r < a->rows; r++)
        UNROLL for (int j = 0; j < panels * VECTORS; j++)
            sum[j] += vf_load(dy + j / VECTORS * a->dy_stride + 16 * r + j % VECTORS * LANES);
    UNROLL for (int j = 0; j < panels * VECTORS; j++) vf_store(db + j * LANES, sum[j]);
}

static void KERNEL(bias_gradient)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_bias_gradient_arguments *a = &arguments->bias_gradient;
    size_t panel = range.panel_begin;
    for (; panel + 4 <= range.panel_end; panel += 4) KERNEL(sum_rows)(a, panel, 4);
    if (panel + 2 <= range.panel_end) {
        KERNEL(sum_rows)(a, panel, 2);
        panel += 2;
    }
    if (panel < range.panel_end) KERNEL(sum_rows)(a, panel, 1);
    size_t live = a->columns - 16 * (range.panel_end - 1);
    if (live < 16) KERNEL(clear_padding)(a->db + 16 * (range.panel_end - 1), 1, live);
}
