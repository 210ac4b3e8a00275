// Random orthogonal matrices: Householder QR in float64, in blocks (Schreiber & Van Loan 1989, "A storage-efficient WY representation for
// products of Householder transformations"). Every inner loop runs along rows and adds to each of its elements in a fixed order, so the
// compiler may vectorize it as it likes and the bits stay.
//
// A is length × count, row-major: its columns are the vectors to be made orthonormal, the rows of m where there are no more of them than
// columns. QR leaves a block of BLOCK reflectors I − V·T·Vᵀ at a time; Q is their product on the identity, formed backward in A's place. Householder
// reflections give an orthonormal Q whatever A is, singular ones included.
#include "table.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 16, TILE = 64 };  // TILE columns of a block's products stay in the first-level cache

typedef struct workspace {
    double *a;                  // [length × count]
    double *v;                  // [length × BLOCK]: the reflectors of one block, zero above their first element, which is 1
    double (*t)[BLOCK][BLOCK];  // of every block, upper triangular
    double *sign;               // [count]: of the diagonal of R
} workspace;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t whole_lines(size_t doubles) { return (doubles + 7) / 8 * 8; }
static size_t blocks_of(size_t count) { return (count + BLOCK - 1) / BLOCK; }

size_t fathom_orthogonalize_workspace(size_t rows, size_t columns) {
    size_t count = least(rows, columns), length = rows + columns - count;
    return sizeof(double) * (whole_lines(length * count) + length * BLOCK + blocks_of(count) * BLOCK * BLOCK + whole_lines(count));
}

static workspace divide(void *memory, size_t length, size_t count) {
    workspace w;
    w.a = memory;
    w.v = w.a + whole_lines(length * count);
    w.t = (double(*)[BLOCK][BLOCK])(w.v + length * BLOCK);
    w.sign = (double *)(w.t + blocks_of(count));
    return w;
}

// y += f[0]·x + f[step]·(x + stride) + … four rows in order, along `width` columns.
static inline void add_rows(double *restrict y, const double *restrict x, size_t stride, const double *f, size_t step, double sign, size_t width) {
    double f0 = sign * f[0], f1 = sign * f[step], f2 = sign * f[2 * step], f3 = sign * f[3 * step];
    for (size_t j = 0; j < width; j++)
        y[j] = (((y[j] + f0 * x[j]) + f1 * x[j + stride]) + f2 * x[j + 2 * stride]) + f3 * x[j + 3 * stride];
}

static inline void add_row(double *restrict y, const double *restrict x, double factor, size_t width) {
    for (size_t j = 0; j < width; j++) y[j] += factor * x[j];
}

// C ← (I − V·T·Vᵀ)·C on `width` ≤ TILE columns; T is given as rows, so T's transpose as columns.
static inline void reflect_tile(const double *v, const double t[BLOCK][BLOCK], double *c, size_t stride, size_t rows, size_t width) {
    double product[BLOCK][TILE] = {{0}}, weighted[BLOCK][TILE] = {{0}};
    size_t i = 0;
    for (; i + 4 <= rows; i += 4)
        for (int k = 0; k < BLOCK; k++) add_rows(product[k], c + i * stride, stride, v + i * BLOCK + k, BLOCK, 1, width);
    for (; i < rows; i++)
        for (int k = 0; k < BLOCK; k++) add_row(product[k], c + i * stride, v[i * BLOCK + k], width);
    for (int k = 0; k < BLOCK; k++)
        for (int l = 0; l < BLOCK; l += 4) add_rows(weighted[k], product[l], TILE, t[k] + l, 1, 1, width);
    for (i = 0; i < rows; i++)
        for (int k = 0; k < BLOCK; k += 4) add_rows(c + i * stride, weighted[k], TILE, v + i * BLOCK + k, 1, -1, width);
}

static void reflect(const double *v, const double t[BLOCK][BLOCK], double *c, size_t stride, size_t rows, size_t width) {
    size_t j = 0;
    for (; j + TILE <= width; j += TILE) reflect_tile(v, t, c + j, stride, rows, TILE);
    if (j < width) reflect_tile(v, t, c + j, stride, rows, width - j);
}

// The reflector that takes column s of the block to a multiple of the s-th unit vector, in place, and its application to the columns after
// it. Gives τ; *sign becomes that of R's diagonal element. Columns of the block up to s are left alone by a factor of zero.
static double make_reflector(double *v, size_t rows, size_t s, double *sign) {
    double squares = 0, top = v[s * BLOCK + s];
    for (size_t i = s; i < rows; i++) squares += v[i * BLOCK + s] * v[i * BLOCK + s];
    double norm = sqrt(squares), diagonal = top > 0 ? -norm : norm;
    *sign = diagonal < 0 ? -1 : 1;
    double tau = norm > 0 ? (diagonal - top) / diagonal : 0, divisor = norm > 0 ? top - diagonal : 1, product[BLOCK] = {0};
    for (size_t i = s + 1; i < rows; i++) v[i * BLOCK + s] /= divisor;
    v[s * BLOCK + s] = 1;
    for (size_t i = s; i < rows; i++) add_row(product, v + i * BLOCK, v[i * BLOCK + s], BLOCK);
    for (size_t j = 0; j < BLOCK; j++) product[j] = j > s ? product[j] * tau : 0;
    for (size_t i = s; i < rows; i++) add_row(v + i * BLOCK, product, -v[i * BLOCK + s], BLOCK);
    return tau;
}

// T of the product of the block's reflectors: column s is −τ·T·(Vᵀ·v_s) above its diagonal element τ.
static void make_triangle(const double *v, size_t rows, const double tau[BLOCK], double t[BLOCK][BLOCK]) {
    double gram[BLOCK][BLOCK] = {{0}};
    memset(t, 0, sizeof gram);
    for (size_t i = 0; i < rows; i++)
        for (int k = 0; k < BLOCK; k++) add_row(gram[k], v + i * BLOCK, v[i * BLOCK + k], BLOCK);
    for (int s = 0; s < BLOCK; s++) {
        t[s][s] = tau[s];
        for (int k = 0; k < s; k++) {
            double sum = 0;
            for (int l = k; l < s; l++) sum += t[k][l] * gram[l][s];
            t[k][s] = -tau[s] * sum;
        }
    }
}

static void copy_block(double *v, double *a, size_t stride, size_t rows, size_t width, bool back) {
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < BLOCK; k++) {
            if (back && k < width) a[i * stride + k] = v[i * BLOCK + k];
            if (!back) v[i * BLOCK + k] = k < width ? a[i * stride + k] : 0;
        }
}

// Leaves the reflectors in A's lower part, T of every block and the signs; R is not kept.
static void factorize(workspace w, size_t length, size_t count) {
    for (size_t first = 0; first < count; first += BLOCK) {
        size_t rows = length - first, width = least(BLOCK, count - first);
        double *a = w.a + first * count + first, tau[BLOCK] = {0}, (*t)[BLOCK] = w.t[first / BLOCK], transposed[BLOCK][BLOCK];
        copy_block(w.v, a, count, rows, width, false);
        for (size_t s = 0; s < width; s++) tau[s] = make_reflector(w.v, rows, s, w.sign + first + s);
        for (size_t s = 1; s < width; s++)
            for (size_t i = 0; i < s; i++) w.v[i * BLOCK + s] = 0;
        make_triangle(w.v, rows, tau, t);
        copy_block(w.v, a, count, rows, width, true);
        for (int k = 0; k < BLOCK; k++)
            for (int l = 0; l < BLOCK; l++) transposed[k][l] = t[l][k];
        reflect(w.v, transposed, a + width, count, rows, count - first - width);
    }
}

// Q in A's place: the blocks from the last to the first act on the columns that they can reach.
static void form(workspace w, size_t length, size_t count) {
    for (size_t block = blocks_of(count); block-- > 0;) {
        size_t first = block * BLOCK, rows = length - first, width = least(BLOCK, count - first);
        double *a = w.a + first * count + first;
        copy_block(w.v, a, count, rows, width, false);
        for (size_t i = 0; i < rows; i++) memset(a + i * count, 0, sizeof *a * (i < width ? count - first : width));
        for (size_t k = 0; k < width; k++) a[k * count + k] = 1;
        reflect(w.v, w.t[block], a, count, rows, count - first);
    }
}

void fathom_orthogonalize(float *m, size_t stride, size_t rows, size_t columns, float gain, void *memory) {
    size_t count = least(rows, columns), length = rows + columns - count;
    bool by_rows = rows <= columns;
    workspace w = divide(memory, length, count);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) w.a[by_rows ? c * count + r : r * count + c] = m[c / FATHOM_PANEL * stride + r * FATHOM_PANEL + c % FATHOM_PANEL];
    factorize(w, length, count);
    form(w, length, count);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            double q = w.a[by_rows ? c * count + r : r * count + c] * w.sign[by_rows ? r : c];
            m[c / FATHOM_PANEL * stride + r * FATHOM_PANEL + c % FATHOM_PANEL] = (float)(q * gain);
        }
}
