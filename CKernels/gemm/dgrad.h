// The product back to a layer's input: dgrad dX = (dY·Wᵀ) ⊙ φ′(saved). Operands and contract: fathom_kernels.h; by rows it is the product of gemm/forward.h
// with other operands and another end. Needs gemm/forward.h.

static void KERNEL(finish_dgrad)(const fathom_arguments *arguments, size_t row, size_t rows, size_t panel) {
    const fathom_gemm_dgrad_arguments *a = &arguments->gemm_dgrad;
    float *dx = a->dx + panel * a->dx_stride + 16 * row;
    const float *saved = a->saved ? a->saved + panel * a->saved_stride + 16 * row : NULL;
    fathom_signal_blocks blocks = fathom_signal_blocks_from(a->blocks, panel, row);
    size_t live = a->inputs - 16 * panel;
    KERNEL(activate_backward)(a->activation, a->parameter, saved, dx, dx, 16 * rows, blocks, live);
    if (live < 16 && a->activation != FATHOM_IDENTITY && !padding_is_zero(blocks, live)) KERNEL(clear_padding)(dx, rows, live);
}

#if LANES == 16
// Of few rows dX is made where W is turned, in registers: to write Wᵀ and read it again would take longer than to multiply by it. Where it did not help, with 8 lanes and
// where W is small, it is not done.
enum { FEW_ROWS = 8, LEAST_WIDTH = 64 };

// 16 steps of k, of which, in a last block, `steps` count: `panels` panels of dX in `rows` rows. Their columns are rows of W, of which `live` exist; the last stands for
// those that do not.
INLINE void KERNEL(dgrad_steps)(vf *sum, int rows, int panels, const float *dy, const float *w, bool last, size_t steps, size_t live) {
    UNROLL for (int q = 0; q < panels; q++) {
        vf turned[16];
        FENCE;  // without it clang turns for both panels before it multiplies for one, and spills
        UNROLL for (int i = 0; i < 16; i++) turned[i] = vf_load(w + 16 * least(16 * q + i, live - 1));
        KERNEL(transpose_square)(turned);
        UNROLL for (int i = 0; i < 16; i++) {
            vi counts = vi_below(0, last && (size_t)i >= steps ? 0 : 16);
            UNROLL for (int r = 0; r < rows; r++) {
                vf *to = &sum[q * rows + r], next = vf_fma(vf_set(dy[16 * r + i]), turned[i], *to);
                *to = last ? vf_select(counts, next, *to) : next;
            }
        }
    }
}

// One panel, or of few rows two, so that while the chains of one wait the other is turned.
INLINE void KERNEL(dgrad_panels)(const fathom_gemm_dgrad_arguments *a, size_t row, int rows, size_t panel, int panels) {
    const float *dy = a->dy + 16 * row, *w = a->w + 16 * 16 * panel;
    float *dx = a->dx + panel * a->dx_stride + 16 * row;
    size_t dy_stride = a->dy_stride, w_stride = a->w_stride, left = a->outputs, live = a->inputs - 16 * panel, whole = 16 * (size_t)panels;
    vf sum[FEW_ROWS];
    UNROLL for (int q = 0; q < panels; q++) UNROLL for (int r = 0; r < rows; r++)
        sum[q * rows + r] = a->accumulate ? vf_load(dx + q * a->dx_stride + 16 * r) : vf_set(0);
    for (; left >= 16 && live >= whole; left -= 16, dy += dy_stride, w += w_stride) {
        UNROLL for (int i = 0; i < 16 * panels; i++) __builtin_prefetch(w + 2 * w_stride + 16 * i);
        KERNEL(dgrad_steps)(sum, rows, panels, dy, w, false, 16, whole);
    }
    for (; left > 0; left -= least(left, 16), dy += dy_stride, w += w_stride) KERNEL(dgrad_steps)(sum, rows, panels, dy, w, true, left, live);
    UNROLL for (int q = 0; q < panels; q++) UNROLL for (int r = 0; r < rows; r++)
        vf_store(dx + q * a->dx_stride + 16 * r, vf_where(vi_below(16 * q, live), sum[q * rows + r]));
}

INLINE void KERNEL(dgrad_rows)(const fathom_gemm_dgrad_arguments *a, fathom_range range, int rows) {
    size_t panel = range.panel_begin;
    for (; rows <= FEW_ROWS / 2 && panel + 2 <= range.panel_end; panel += 2) KERNEL(dgrad_panels)(a, range.row_begin, rows, panel, 2);
    for (; panel < range.panel_end; panel++) KERNEL(dgrad_panels)(a, range.row_begin, rows, panel, 1);
}

static bool KERNEL(dgrad_few)(const fathom_gemm_dgrad_arguments *a, fathom_range range) {
    if (a->transposed || a->inputs < LEAST_WIDTH || a->outputs < LEAST_WIDTH) return false;
    switch (range.row_end - range.row_begin) {
    case 1: KERNEL(dgrad_rows)(a, range, 1); return true;
    case 2: KERNEL(dgrad_rows)(a, range, 2); return true;
    case 3: KERNEL(dgrad_rows)(a, range, 3); return true;
    case 4: KERNEL(dgrad_rows)(a, range, 4); return true;
    case 5: KERNEL(dgrad_rows)(a, range, 5); return true;
    case 6: KERNEL(dgrad_rows)(a, range, 6); return true;
    case 7: KERNEL(dgrad_rows)(a, range, 7); return true;
    case FEW_ROWS: KERNEL(dgrad_rows)(a, range, FEW_ROWS); return true;
    }
    return false;
}
#else
static bool KERNEL(dgrad_few)(const fathom_gemm_dgrad_arguments *a, fathom_range range) {
    (void)a, (void)range;
    return false;
}
#endif

static void KERNEL(gemm_dgrad)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gemm_dgrad_arguments *a = &arguments->gemm_dgrad;
    finish_function *finish = a->activation == FATHOM_IDENTITY && !a->blocks.sums ? NULL : KERNEL(finish_dgrad);
    if (KERNEL(dgrad_few)(a, range)) {
        for (size_t panel = range.panel_begin; finish && panel < range.panel_end; panel++) finish(arguments, range.row_begin, range.row_end - range.row_begin, panel);
        return;
    }
    product p = {
        .orientation = BY_ROWS,
        .a = a->dy, .a_stride = a->dy_stride,
        .b = a->w, .b_stride = a->w_stride, .turned = !a->transposed,
        .c = a->dx, .c_stride = a->dx_stride,
        .depth = a->outputs, .columns = a->inputs,
        .accumulate = a->accumulate,
        .row_step = a->blocks.sums ? TOLD_STRIP_ROWS : STRIP_ROWS,
    };
    KERNEL(multiply_by_rows)(&p, range, finish, arguments);
}
