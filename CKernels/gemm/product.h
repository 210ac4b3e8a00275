// C = A·B in panels, blocked for the caches: what forward, dgrad and wgrad share.
//
// Parameters of the include, per instruction set:
//   TILE_ROWS      rows of the register tile, 1 ... 12
//   REGISTERS      vectors that registers hold
//   TILE_VECTORS   of which so many are sums, at least 2·16/LANES: a tile of few rows takes 2 or 4 panels, as many as fit
//   DEPTH_BLOCK    most steps of k for which a block of B stays in the first-level cache; a multiple of 16
//   ROW_BLOCK      most rows of a block of A
//   A_BLOCK        most floats of a block of A, which stays in the second-level cache; at least 16·ROW_BLOCK
// Needs simd/vector.h.

// What will be multiplied next, brought into the first-level cache meanwhile, in lines of 16 floats: the hardware sees one panel's end, not where the next begins.
typedef struct lines {
    const float *next, *end;    // of B, in as many panels as the tile that asks for them has
    size_t stride;              // floats from one of these panels to the next
    size_t runs, jump, length;  // so many more runs of lines after these, jump floats further each, of `length` floats
    bool left;                  // and of A, for whoever is the first to read a block of it: what the next tile needs
} lines;

INLINE void next_run(lines *ahead) {
    ahead->runs--;
    ahead->end += ahead->jump;
    ahead->next = ahead->end - ahead->length;
}

enum {
    LINES_AHEAD = 4,     // of B, in 16 steps of k, in all panels
    SMALL_A = 8 * 1024,  // floats; so few are left to the hardware
};

// A strip of tiles: one block of k of some rows of C, in one to four panels.
typedef struct strip {
    const float *a;    // first row, first step of k
    size_t a_block;    // floats from one 16 steps of k to the next
    size_t a_panel;    // by columns: floats from one 16 rows to the next
    const float *b;    // first step of k of the first panel
    size_t b_stride;   // floats from one panel to the next
    size_t steps;      // of k
    float *c;          // first row of the first panel
    size_t c_stride;
    lines *ahead;
    const float *bias; // of the first panel, added last; NULL: none
    bool from_zero;    // rather than from the stored C
    bool rectify;      // max(C, 0) last
    size_t first;      // lanes of the first row in a vector of two: 8. Where clang knew it, it would choose by a permutation, for which a core has one unit
    size_t live;       // columns of the last panel; the other lanes become 0. 16: all
} strip;

enum { TILE_WIDEST = 4 * VECTORS };  // vectors in the rows of the widest tile

#define COLUMNS 16
#define WIDTH LANES
#define STRIP(name) KERNEL(strip_##name)
#include "strip.h"
#undef STRIP
#undef WIDTH
#undef COLUMNS

#define COLUMNS 8
#define WIDTH (LANES < 8 ? LANES : 8)
#define STRIP(name) KERNEL(half_strip_##name)
#include "strip.h"
#undef STRIP
#undef WIDTH
#undef COLUMNS

enum {
    HALF_VECTORS = LANES < 8 ? 8 / LANES : 1,  // vectors in half a panel row
    HAS_PAIRS = VECTORS == 1,                  // where a vector is a panel row, halves of two rows make one
};

// How the elements of A lie: in rows of a matrix in panels (forward, dgrad), or in its columns (wgrad: Xᵀ).
typedef enum orientation { BY_ROWS, BY_COLUMNS } orientation;

// Whether a tile of `rows` rows of `vectors` vectors fits the registers: its sums, and where more than one row takes them a row of B beside an element of A.
INLINE bool tile_fits(size_t rows, size_t vectors) {
    return rows * vectors <= TILE_VECTORS && (rows == 1 || rows * vectors + vectors < REGISTERS);
}

// A function for every shape of tile and orientation. Those that do not fit the registers are empty, and never called.
typedef void strip_function(const strip *s, size_t tiles);

#define STRIP_FUNCTION(name, kind, rows, vectors, half, a_row, a_step) \
    static void KERNEL(name)(const strip *s, size_t tiles) { \
        if (half ? HAS_PAIRS : tile_fits(rows, vectors)) KERNEL(kind)(s, tiles, rows, vectors, half, a_row, a_step); \
    }
#define STRIP_FUNCTIONS(rows) \
    STRIP_FUNCTION(by_rows_##rows##x1, strip_tiles, rows, VECTORS, false, 16, 1) \
    STRIP_FUNCTION(by_rows_##rows##x2, strip_tiles, rows, 2 * VECTORS, false, 16, 1) \
    STRIP_FUNCTION(by_rows_##rows##x4, strip_tiles, rows, 4 * VECTORS, false, 16, 1) \
    STRIP_FUNCTION(by_rows_##rows##xhalf, half_strip_tiles, rows, HALF_VECTORS, false, 16, 1) \
    STRIP_FUNCTION(by_rows_##rows##x1half, strip_tiles, rows, VECTORS, true, 16, 1) \
    STRIP_FUNCTION(by_columns_##rows##x1, strip_tiles, rows, VECTORS, false, 1, 16) \
    STRIP_FUNCTION(by_columns_##rows##x2, strip_tiles, rows, 2 * VECTORS, false, 1, 16) \
    STRIP_FUNCTION(by_columns_##rows##x4, strip_tiles, rows, 4 * VECTORS, false, 1, 16) \
    STRIP_FUNCTION(by_columns_##rows##xhalf, half_strip_tiles, rows, HALF_VECTORS, false, 1, 16) \
    STRIP_FUNCTION(by_columns_##rows##x1half, strip_tiles, rows, VECTORS, true, 1, 16)
#define STRIP_ENTRIES(orientation, rows) \
    {KERNEL(orientation##_##rows##x1), KERNEL(orientation##_##rows##x2), KERNEL(orientation##_##rows##x4), KERNEL(orientation##_##rows##xhalf), \
     KERNEL(orientation##_##rows##x1half)}

STRIP_FUNCTIONS(1) STRIP_FUNCTIONS(2) STRIP_FUNCTIONS(3) STRIP_FUNCTIONS(4) STRIP_FUNCTIONS(5) STRIP_FUNCTIONS(6)
STRIP_FUNCTIONS(7) STRIP_FUNCTIONS(8) STRIP_FUNCTIONS(9) STRIP_FUNCTIONS(10) STRIP_FUNCTIONS(11) STRIP_FUNCTIONS(12)

enum { TALLEST = 12 };
typedef enum tile_width { ONE_PANEL, TWO_PANELS, FOUR_PANELS, HALF_PANEL, PANEL_AND_HALF, TILE_WIDTHS } tile_width;

static strip_function *const KERNEL(strips)[2][TALLEST][TILE_WIDTHS] = {
    [BY_ROWS] = {
        STRIP_ENTRIES(by_rows, 1), STRIP_ENTRIES(by_rows, 2), STRIP_ENTRIES(by_rows, 3), STRIP_ENTRIES(by_rows, 4),
        STRIP_ENTRIES(by_rows, 5), STRIP_ENTRIES(by_rows, 6), STRIP_ENTRIES(by_rows, 7), STRIP_ENTRIES(by_rows, 8),
        STRIP_ENTRIES(by_rows, 9), STRIP_ENTRIES(by_rows, 10), STRIP_ENTRIES(by_rows, 11), STRIP_ENTRIES(by_rows, 12),
    },
    [BY_COLUMNS] = {
        STRIP_ENTRIES(by_columns, 1), STRIP_ENTRIES(by_columns, 2), STRIP_ENTRIES(by_columns, 3), STRIP_ENTRIES(by_columns, 4),
        STRIP_ENTRIES(by_columns, 5), STRIP_ENTRIES(by_columns, 6), STRIP_ENTRIES(by_columns, 7), STRIP_ENTRIES(by_columns, 8),
        STRIP_ENTRIES(by_columns, 9), STRIP_ENTRIES(by_columns, 10), STRIP_ENTRIES(by_columns, 11), STRIP_ENTRIES(by_columns, 12),
    },
};

// C = A·B, or C += A·B. C has `columns` columns; the sums run over `depth` steps.
typedef struct product {
    orientation orientation;
    const float *a;
    size_t a_stride;
    const float *b;  // [depth × columns]; where it is turned, [columns × depth]
    size_t b_stride;
    bool turned;     // Bᵀ is what lies at b: a block of it is transposed before it is multiplied
    float *c;
    size_t c_stride;
    size_t depth, columns;
    bool accumulate;
    size_t row_step;    // by rows: of which a block of rows is a multiple, so that what is finished with it ends there too
    const float *bias;  // added last; NULL: none
    bool rectify;       // max(C, 0) after it
} product;

INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

// `count` in parts of at most `most`, as even as can be: the size of each, rounded up to a multiple of `step`.
INLINE size_t even_part(size_t count, size_t most, size_t step) {
    size_t parts = (count + most - 1) / most;
    if (parts < 2) return count > 0 ? count : 1;
    size_t part = (count + parts - 1) / parts;
    return (part + step - 1) / step * step;
}

INLINE size_t panels_of(tile_width width) { return width == FOUR_PANELS ? 4 : width == TWO_PANELS || width == PANEL_AND_HALF ? 2 : 1; }

INLINE size_t tallest_of(size_t vectors) {
    size_t rows = TILE_ROWS;
    while (rows > 1 && !tile_fits(rows, vectors)) rows--;
    return rows;
}

// Rows of the tallest tile of a width that the registers hold; of a panel and a half an even number, since a vector of halves takes two.
INLINE size_t tallest_tile(tile_width width) {
    switch (width) {
    case HALF_PANEL: return least(TILE_VECTORS / HALF_VECTORS, TALLEST);
    case PANEL_AND_HALF: return least(2 * TILE_VECTORS / 3, TILE_ROWS) / 2 * 2;
    case FOUR_PANELS: return tallest_of(4 * VECTORS);
    case TWO_PANELS: return tallest_of(2 * VECTORS);
    default: return tallest_of(VECTORS);
    }
}

// `rows` rows as tiles of one width, as even as can be (in pairs, where a vector of halves takes two), one below the other: first `tall` of
// `tall_height` rows, then `low` of `height`.
typedef struct tiling {
    tile_width width;
    size_t rows, tall, tall_height, low, height;
} tiling;

INLINE tiling tiling_of(size_t rows, tile_width width) {
    size_t tallest = tallest_tile(width), tiles = (rows + tallest - 1) / tallest, pairs = width == PANEL_AND_HALF && rows % 2 == 0;
    size_t height = (rows >> pairs) / tiles, tall = (rows >> pairs) % tiles;
    return (tiling){width, rows, tall, (height + 1) << pairs, tiles - tall, height << pairs};
}

// The tile for `rows` rows of the panels from `panel` up to `end`: as wide as the registers hold. Of a last panel of at most 8 columns only half is computed: alone, or where
// a vector is a whole panel row, behind another panel.
INLINE tile_width choose_width(const product *p, size_t rows, size_t panel, size_t end) {
    size_t columns = least(16 * end, p->columns) - 16 * panel, height = least(rows, TILE_ROWS);
    bool ends_in_half = columns % 16 > 0 && columns % 16 <= 8;
    if (VECTORS > 1 && columns <= 8) return HALF_PANEL;
    if (HAS_PAIRS && ends_in_half && columns > 16 && columns < 48 && rows > 1) return columns < 32 ? PANEL_AND_HALF : ONE_PANEL;
    size_t whole = (columns + (VECTORS > 1 ? 7 : 15)) / 16;
    if (whole >= 4 && tile_fits(height, 4 * VECTORS)) return FOUR_PANELS;
    if (whole >= 2 && tile_fits(height, 2 * VECTORS)) return TWO_PANELS;
    return ONE_PANEL;
}

// The lines of B's block of `steps` steps from k in some panels from `panel` on. Of Bᵀ they are runs of rows, in as many of its panels as there are 16 steps.
INLINE lines lines_of(const product *p, size_t panel, size_t panels, size_t k, size_t steps) {
    size_t columns = 16 * panel < p->columns ? least(16 * panels, p->columns - 16 * panel) : 0;
    if (!p->turned) {
        const float *b = p->b + panel * p->b_stride + 16 * k;
        return (lines){b, columns ? b + 16 * steps : b, p->b_stride, 0, 0, 0, false};
    }
    const float *b = p->b + k / 16 * p->b_stride + 16 * 16 * panel;
    return (lines){b, b + 16 * columns, p->b_stride, columns ? (steps - 1) / (16 * panels) : 0, panels * p->b_stride, 16 * columns, false};
}

// The block of B that comes after steps k ..< k + steps of the panels from `panel` up to `end`, in blocks of depth_block steps: of the next panel, of the first
// one further down, or after the range's last what another piece of the product begins with.
INLINE lines next_block(const product *p, fathom_range range, size_t panel, size_t end, size_t k, size_t steps, size_t depth_block) {
    bool left = panel == range.panel_begin && (range.row_end - range.row_begin) * p->depth > SMALL_A;
    size_t panels = end - panel;
    panel = end;
    if (panel == range.panel_end) {
        k = k + steps < p->depth ? k + steps : 0;
        if (k > 0) panel = range.panel_begin;
    }
    lines ahead = lines_of(p, panel, panels, k, least(depth_block, p->depth - k));
    ahead.left = left;
    return ahead;
}

// Of tiles that go on from one panel of A by columns to the next: the tallest that divide a panel's 16 rows.
INLINE size_t dividing_height(tile_width width) {
    size_t height = 16;
    while (height > tallest_tile(width)) height /= 2;
    return height;
}

// Steps k ..< k + steps for the rows of some tiles from `row` on (by columns: of one panel of A, or tiles of a height that divides it), in the
// panels of one tile width, whose block of B begins at b.
static void KERNEL(multiply_block)(
    const product *p, size_t row, const tiling *t, size_t k, size_t steps, size_t panel, const float *b, size_t b_stride, lines *ahead) {
    bool last = k + steps == p->depth, by_rows = p->orientation == BY_ROWS;
    strip s = {
        .a = by_rows ? p->a + k / 16 * p->a_stride + 16 * row : p->a + row / 16 * p->a_stride + row % 16 + 16 * k,
        .a_block = by_rows ? p->a_stride : 16 * 16,
        .a_panel = p->a_stride,
        .b = b,
        .b_stride = b_stride,
        .steps = steps,
        .c = p->c + panel * p->c_stride + 16 * row,
        .c_stride = p->c_stride,
        .ahead = ahead,
        .bias = last && p->bias ? p->bias + 16 * panel : NULL,
        .from_zero = k == 0 && !p->accumulate,
        .rectify = last && p->rectify,
        .first = 8,
        .live = last ? least(16, p->columns - 16 * (panel + panels_of(t->width) - 1)) : 16,
    };
    if (t->tall > 0) {
        KERNEL(strips)[p->orientation][t->tall_height - 1][t->width](&s, t->tall);
        s.a += t->tall * t->tall_height * (by_rows ? 16 : 1);
        s.c += t->tall * t->tall_height * 16;
    }
    KERNEL(strips)[p->orientation][t->height - 1][t->width](&s, t->low);
}

// Zeros into the lanes of the last panel past the last column, in `rows` rows.
static void KERNEL(clear_padding)(float *c, size_t rows, size_t live) {
    for (size_t r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) {
            float *at = c + 16 * r + LANES * v;
            vf_store(at, vf_from_bits(vi_below(LANES * v, live) & vf_bits(vf_load(at))));
        }
}

#undef STRIP_ENTRIES
#undef STRIP_FUNCTIONS
#undef STRIP_FUNCTION
