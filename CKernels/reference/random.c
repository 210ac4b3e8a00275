// Uniform and normal deviates in plain C, an element at a time.
#include <math.h>

#include "../random/philox.h"
#include "scalar.h"

static size_t first_of_row(const fathom_random_arguments *a, size_t r) { return r * FATHOM_PANEL * fathom_panels(a->columns); }

static float unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

static void put(const fathom_random_arguments *a, size_t r, size_t c, float value) {
    *fathom_at(a->x, a->x_stride, r, c) = c < a->columns ? value : 0;
}

void fathom_random_uniform_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_random_arguments *a = &arguments->random;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = range.panel_begin * FATHOM_PANEL; c < range.panel_end * FATHOM_PANEL; c += 4) {
            philox_block block = philox_of((first_of_row(a, r) + c) / 4, a->stream, a->purpose, a->seed);
            for (int k = 0; k < 4; k++) put(a, r, c + k, fathom_fma_reference(unit(block.word[k]), a->b - a->a, a->a));
        }
}

void fathom_random_normal_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_random_arguments *a = &arguments->random;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = range.panel_begin * FATHOM_PANEL; c < range.panel_end * FATHOM_PANEL; c += 4) {
            philox_block block = philox_of((first_of_row(a, r) + c) / 4, a->stream, a->purpose, a->seed);
            for (int k = 0; k < 4; k += 2) {
                float radius = sqrtf(fathom_log_reference(fathom_fma_reference((float)block.word[k], 0x1p-32f, 0x1p-33f)) * -2);
                vf sine, cosine;
                vf_sincos_2pi((vf){unit(block.word[k + 1])}, &sine, &cosine);
                put(a, r, c + k, fathom_fma_reference(radius * cosine[0], a->b, a->a));
                put(a, r, c + k + 1, fathom_fma_reference(radius * sine[0], a->b, a->a));
            }
        }
}
