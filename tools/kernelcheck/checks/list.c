// The list of operations: how each one's cases are planned, made and verified, how many there are, and the shape that is timed.
#include "harness.h"

// Borders of register tiles, panels and row blocks, and their neighbours.
static const uint16_t edges[] = {1,  2,  5,  6,  7,  8,  9,  11, 12, 13, 15, 16, 17, 18, 23, 24, 25, 31, 32,  33,  41,  47, 48,
                                 49, 63, 64, 65, 71, 72, 73, 79, 80, 81, 95, 96, 97, 99, 111, 112, 113, 127, 128, 129, 130};
// Borders of the blocks of a long sum.
static const uint16_t depths[] = {144, 191, 192, 193, 255, 256, 257, 272, 300, 383, 384, 385, 511, 512, 513, 520, 767, 768, 769};
enum { EDGES = sizeof edges / sizeof *edges, DEPTHS = sizeof depths / sizeof *depths };

// All of 0 … 40 in each dimension.
enum { SMALL = 41, SMALL_MATRICES = SMALL * SMALL, SMALL_PRODUCTS = SMALL * SMALL * SMALL };

static void plan_values(plan *p, generator *g) {
    static const values often[] = {VALUES_ORDINARY, VALUES_ORDINARY, VALUES_ORDINARY, VALUES_ORDINARY,
                                   VALUES_ORDINARY, VALUES_INTEGERS, VALUES_WIDE,     VALUES_SPECIAL};
    p->values = often[draw_below(g, 8)];
    p->options = (uint32_t)(draw(g) >> 32);
    p->strided = draw_one_in(g, 2);
}

static size_t edge(generator *g) { return edges[draw_below(g, EDGES)]; }

static void plan_product(plan *p, generator *g, size_t index) {
    plan_values(p, g);
    bool activations = fathom_kernels_named("reference")->kernels[FATHOM_ACTIVATION_FORWARD] != NULL;
    p->activation = draw_one_in(g, 2) || !activations ? FATHOM_IDENTITY : (fathom_activation)draw_below(g, FATHOM_ACTIVATIONS);
    if (index < SMALL_PRODUCTS) {
        p->rows = index / SMALL_MATRICES;
        p->inputs = index / SMALL % SMALL;
        p->outputs = index % SMALL;
        return;
    }
    p->rows = edge(g);
    p->inputs = edge(g);
    p->outputs = edge(g);
    size_t deep = draw_below(g, 4);
    size_t *long_one = deep == 0 ? &p->rows : deep == 1 ? &p->inputs : deep == 2 ? &p->outputs : NULL;
    if (long_one) *long_one = depths[draw_below(g, DEPTHS)];
}

#define PRODUCT(make, verify) {plan_product, make, verify, SMALL_PRODUCTS + 300, SMALL_PRODUCTS + 4000, 128, 512, 512}

const kernel_check_entry kernel_check_list[FATHOM_OPERATIONS] = {
    [FATHOM_GEMM_FORWARD] = PRODUCT(make_forward, verify_forward),
    [FATHOM_GEMM_DGRAD] = PRODUCT(make_dgrad, verify_dgrad),
    [FATHOM_GEMM_WGRAD] = PRODUCT(make_wgrad, verify_wgrad),
};
