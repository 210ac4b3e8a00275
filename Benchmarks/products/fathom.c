// Our own kernels, operands in panels. Of dgrad there are two variants: with Wᵀ at hand, and with W, as a training step has it.
#include "product.h"

#include <fathom_kernels.h>
#include <stdlib.h>

static int threads;
static fathom_call call;
static float *a, *b, *bt, *c;
static size_t result_rows;

static size_t panels(size_t columns) { return (columns + FATHOM_PANEL - 1) / FATHOM_PANEL; }
static size_t place(size_t rows, size_t row, size_t column) {
    return 16 * rows * (column / FATHOM_PANEL) + FATHOM_PANEL * row + column % FATHOM_PANEL;
}

static float *in_panels(int operand, size_t rows, size_t columns) {
    float *m = floats(16 * rows * panels(columns));
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < columns; k++) m[place(rows, r, k)] = element(operand, r, k);
    return m;
}

bool library_open(const settings *s) {
    threads = s->threads;
    return true;
}

const char *variant_name(int v) { return (const char *const[]){"panels", "transposing", NULL}[v]; }

static void prepare_forward(const problem *p) {
    a = in_panels(X, p->rows, p->inputs);
    b = in_panels(W, p->inputs, p->outputs);
    c = floats(16 * p->rows * panels(p->outputs));
    call = (fathom_call){.operation = FATHOM_GEMM_FORWARD, .arguments.gemm_forward = {
        .rows = p->rows, .inputs = p->inputs, .outputs = p->outputs, .x = a, .x_stride = 16 * p->rows, .w = b, .w_stride = 16 * p->inputs,
        .activation = FATHOM_IDENTITY, .y = c, .y_stride = 16 * p->rows}};
}

static void prepare_dgrad(const problem *p, bool transposing) {
    a = in_panels(DY, p->rows, p->outputs);
    b = in_panels(W, p->inputs, p->outputs);
    bt = floats(16 * p->outputs * panels(p->inputs));
    c = floats(16 * p->rows * panels(p->inputs));
    fathom_call transpose = {.operation = FATHOM_TRANSPOSE, .arguments.transpose = {
        .rows = p->inputs, .columns = p->outputs, .m = b, .m_stride = 16 * p->inputs, .t = bt, .t_stride = 16 * p->outputs}};
    call = (fathom_call){.operation = FATHOM_GEMM_DGRAD, .arguments.gemm_dgrad = {
        .rows = p->rows, .inputs = p->inputs, .outputs = p->outputs, .dy = a, .dy_stride = 16 * p->rows, .w = transposing ? b : bt,
        .w_stride = transposing ? 16 * p->inputs : 16 * p->outputs, .transposed = !transposing, .activation = FATHOM_IDENTITY, .dx = c, .dx_stride = 16 * p->rows}};
    fathom_run(&transpose, 1, threads);
}

static void prepare_wgrad(const problem *p) {
    a = in_panels(X, p->rows, p->inputs);
    b = in_panels(DY, p->rows, p->outputs);
    c = floats(16 * p->inputs * panels(p->outputs));
    call = (fathom_call){.operation = FATHOM_GEMM_WGRAD, .arguments.gemm_wgrad = {
        .rows = p->rows, .inputs = p->inputs, .outputs = p->outputs, .x = a, .x_stride = 16 * p->rows, .dy = b, .dy_stride = 16 * p->rows,
        .dw = c, .dw_stride = 16 * p->inputs}};
}

bool variant_prepare(int v, const problem *p) {
    if (v == 1 && p->orientation != DGRAD) return false;
    bt = NULL;
    result_rows = p->orientation == WGRAD ? p->inputs : p->rows;
    switch (p->orientation) {
        case FORWARD: prepare_forward(p); break;
        case DGRAD: prepare_dgrad(p, v == 1); break;
        case WGRAD: prepare_wgrad(p); break;
    }
    return true;
}

void variant_run(void) { fathom_run(&call, 1, threads); }
float variant_result(size_t row, size_t column) { return c[place(result_rows, row, column)]; }

void variant_free(void) {
    free(a);
    free(b);
    free(bt);
    free(c);
}
