// The products of a dense layer by rows, and of these forward Y = φ(X·W + b). Operands and contract: fathom_kernels.h; blocking: gemm/product.h.
// Needs gemm/product.h, gemm/transpose.h and elementwise/activation.h.

// What happens to a finished strip, hot in the cache: `rows` rows from `row` of one panel; NULL: nothing.
typedef void finish_function(const fathom_arguments *a, size_t row, size_t rows, size_t panel);

// Strips end at whole tiles; those whose statistics dgrad's end gathers, at whole blocks of these.
enum { STRIP_ROWS = 48, TOLD_STRIP_ROWS = FATHOM_SIGNAL_ROWS };
_Static_assert(STRIP_ROWS % TILE_ROWS == 0, "strips of whole tiles");

// Steps of k in a block, for so many rows. Where two tiles have all the rows, B is read once or twice: a block's end would only cost. What is turned has to fit
// where it is turned to, and of few rows to stay there beside the lines of W that it comes from.
static size_t KERNEL(depth_of_block)(const product *p, size_t rows) {
    if (p->turned && rows <= 64) return even_part(p->depth, DEPTH_BLOCK / 2, 16);
    if (p->depth <= DEPTH_BLOCK && p->depth * rows <= A_BLOCK) return p->depth;  // as below, without dividing
    if (rows <= 2 * TILE_ROWS) return p->depth;
    return even_part(p->depth, least(DEPTH_BLOCK, A_BLOCK / rows), 16);
}

// Of Bᵀ the block of steps k ..< k + steps in some panels from `panel` on, turned: panel behind panel of 16·steps floats. It is turned anew for each block of rows, at
// the price of two or three rows more; a matrix turned beforehand costs that and its way through memory, twice.
static void KERNEL(turn_block)(const product *p, size_t k, size_t steps, size_t panel, size_t panels, float *block) {
    for (size_t q = 0; q < panels && 16 * (panel + q) < p->columns; q++) {
        size_t columns = least(16, p->columns - 16 * (panel + q));
        const float *from = p->b + k / 16 * p->b_stride + 16 * 16 * (panel + q);
        for (size_t step = 0; step < steps; step += 16, from += p->b_stride)
            KERNEL(transpose_block)(from, block + 16 * (q * steps + step), columns, least(16, steps - step));
    }
}

// Blocks of rows, in them blocks of k, in them panels: a block of A stays in the second-level cache for all panels, a block of
// B in the first for all tiles of the rows.
static void KERNEL(multiply_by_rows)(const product *p, fathom_range range, finish_function *finish, const fathom_arguments *a) {
    _Alignas(64) float turned[4 * 16 * DEPTH_BLOCK];
    size_t row_block = even_part(range.row_end - range.row_begin, ROW_BLOCK, p->row_step), depth_block = KERNEL(depth_of_block)(p, row_block);
    tiling t = {.width = TILE_WIDTHS};
    for (size_t row = range.row_begin; row < range.row_end; row += row_block) {
        size_t rows = least(row_block, range.row_end - row), k = 0;
        do {
            size_t steps = least(depth_block, p->depth - k);
            for (size_t panel = range.panel_begin; panel < range.panel_end;) {
                tile_width width = choose_width(p, rows, panel, range.panel_end);
                if (width != t.width || rows != t.rows) t = tiling_of(rows, width);  // seldom: dividing takes as long as a short tile
                size_t end = panel + panels_of(width);
                lines ahead = next_block(p, range, panel, end, k, steps, depth_block);
                if (p->turned) KERNEL(turn_block)(p, k, steps, panel, end - panel, turned);
                const float *b = p->turned ? turned : p->b + panel * p->b_stride + 16 * k;
                KERNEL(multiply_block)(p, row, &t, k, steps, panel, b, p->turned ? 16 * steps : p->b_stride, &ahead);
                for (; panel < end; panel++)
                    if (finish && k + steps == p->depth) finish(a, row, rows, panel);
            }
            k += steps;
        } while (k < p->depth);
    }
}

// y = φ(z) of `rows` rows of a panel whose second half is padding, of zeros that φ leaves: the first halves are brought together, so that none of φ's long
// polynomials is computed for the others.
static void KERNEL(activate_half)(fathom_activation activation, float parameter, const float *z, float *y, size_t rows) {
    _Alignas(64) float halves[8 * STRIP_ROWS];
    for (size_t begin = 0; begin < rows; begin += STRIP_ROWS) {
        size_t some = least(STRIP_ROWS, rows - begin), padded = some + some % 2;
        for (size_t r = 0; r < padded; r++) __builtin_memcpy(halves + 8 * r, z + 16 * (begin + (r < some ? r : 0)), 32);
        KERNEL(activate)(activation, parameter, halves, halves, 8 * padded);
        for (size_t r = 0; r < some; r++) __builtin_memcpy(y + 16 * (begin + r), halves + 8 * r, 32);
        if (y != z)
            for (size_t r = 0; r < some; r++) __builtin_memset(y + 16 * (begin + r) + 8, 0, 32);
    }
}

// Whether φ(0) is 0, of those that are not computed in registers.
static bool KERNEL(keeps_zero)(fathom_activation activation) { return activation != FATHOM_SIGMOID && activation != FATHOM_SOFTPLUS; }

// Whether there is nothing to finish: φ′ is not kept of these.
INLINE bool forward_ends_in_registers(const fathom_gemm_forward_arguments *a) { return a->activation == FATHOM_IDENTITY || a->activation == FATHOM_RELU; }

static void KERNEL(finish_forward)(const fathom_arguments *arguments, size_t row, size_t rows, size_t panel) {
    const fathom_gemm_forward_arguments *a = &arguments->gemm_forward;
    float *y = a->y + panel * a->y_stride + 16 * row, *z = a->slope ? a->slope + panel * a->slope_stride + 16 * row : y;
    if (a->slope) return KERNEL(activate_saving)(a->activation, z, y, z, 16 * rows);
    if (a->outputs <= 16 * panel + 8 && KERNEL(keeps_zero)(a->activation)) KERNEL(activate_half)(a->activation, a->parameter, z, y, rows);
    else KERNEL(activate)(a->activation, a->parameter, z, y, 16 * rows);
}

// Whether so few columns of W are better broadcast, to vectors along the rows of X, for which X has to be turned, than read as vectors that are mostly padding.
INLINE bool forward_is_narrow(const fathom_gemm_forward_arguments *a, size_t rows) {
    return LANES >= 8 && rows >= 12 && a->outputs > 0 && 4 * a->outputs * ((rows + 15) / 16 * 16) <= 3 * LANES * rows && !a->accumulate;
}

// Yᵀ = Wᵀ·Xᵀ of up to 64 rows; turned back, and finished as any other.
static void KERNEL(forward_narrow)(const fathom_arguments *arguments, size_t row, size_t rows) {
    enum { STEPS = 64 };
    const fathom_gemm_forward_arguments *a = &arguments->gemm_forward;
    _Alignas(64) float x[4 * 16 * STEPS], y[4 * 16 * 16];
    size_t blocks = (rows + 15) / 16, k = 0;
    product p = {.orientation = BY_COLUMNS, .a = a->w, .b = x, .c = y, .c_stride = 16 * 16, .depth = a->inputs, .columns = 16 * blocks};
    do {
        size_t steps = least(STEPS, p.depth - k);
        for (size_t step = 0; step < steps; step += 16)
            for (size_t q = 0; q < blocks; q++) {
                const float *from = a->x + (k + step) / 16 * a->x_stride + 16 * (row + 16 * q);
                KERNEL(transpose_block)(from, x + 16 * (q * steps + step), least(16, rows - 16 * q), least(16, steps - step));
            }
        for (size_t q = 0; q < blocks;) {
            lines none = {0};
            tiling t = tiling_of(a->outputs, choose_width(&p, a->outputs, q, blocks));
            KERNEL(multiply_block)(&p, 0, &t, k, steps, q, x + 16 * q * steps, 16 * steps, &none);
            q += panels_of(t.width);
        }
        k += steps;
    } while (k < p.depth);
    float *z = (a->slope ? a->slope : a->y) + 16 * row;
    for (size_t q = 0; q < blocks; q++) {
        float *block = z + 16 * 16 * q;
        size_t some = least(16, rows - 16 * q);
        KERNEL(transpose_block)(y + 16 * 16 * q, block, a->outputs, some);
        for (size_t r = 0; r < some; r++) UNROLL for (int v = 0; v < VECTORS; v++) {
            vf sum = vf_load(block + 16 * r + LANES * v);
            if (a->bias) sum += vf_load(a->bias + LANES * v);
            vf_store(block + 16 * r + LANES * v, a->activation == FATHOM_RELU ? relu(sum) : sum);
        }
    }
    if (!forward_ends_in_registers(a)) KERNEL(finish_forward)(arguments, row, rows, 0);
}

static void KERNEL(gemm_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gemm_forward_arguments *a = &arguments->gemm_forward;
    if (forward_is_narrow(a, range.row_end - range.row_begin)) {
        for (size_t row = range.row_begin; row < range.row_end; row += 64) KERNEL(forward_narrow)(arguments, row, least(64, range.row_end - row));
        return;
    }
    product p = {
        .orientation = BY_ROWS,
        .a = a->x, .a_stride = a->x_stride,
        .b = a->w, .b_stride = a->w_stride,
        .c = a->slope ? a->slope : a->y, .c_stride = a->slope ? a->slope_stride : a->y_stride,
        .depth = a->inputs, .columns = a->outputs,
        .accumulate = a->accumulate,
        .row_step = STRIP_ROWS,
        .bias = a->bias,
        .rectify = a->activation == FATHOM_RELU,
    };
    KERNEL(multiply_by_rows)(&p, range, forward_ends_in_registers(a) ? NULL : KERNEL(finish_forward), arguments);
}
