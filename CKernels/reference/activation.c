// The activations one element at a time: simd/math.h and elementwise/functions.h with a single lane and the fused multiply-add emulated define
// the bits that every instruction set gives; that they are the right ones is checked against float64.
#include "reference.h"

#define LANES 1
#define EMULATE_FMA
#include "../simd/vector.h"
#include "../simd/math.h"
#include "../elementwise/functions.h"

float fathom_activate_reference(fathom_activation kind, float parameter, float z) {
    return activation(kind, parameter, (vf){z})[0];
}

float fathom_activation_slope_reference(fathom_activation kind, float parameter, float saved) {
    return activation_slope(kind, parameter, (vf){saved})[0];
}

float fathom_saved_slope_reference(fathom_activation kind, float z) { return saved_slope(kind, (vf){z})[0]; }

void fathom_activation_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_activation_forward_arguments *a = &arguments->activation_forward;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++)
        {
            float z = *fathom_at(a->z, a->z_stride, r, c);
            *fathom_at(a->y, a->y_stride, r, c) = fathom_activate_reference(a->activation, a->parameter, z);
            if (a->slope) *fathom_at(a->slope, a->slope_stride, r, c) = fathom_saved_slope_reference(a->activation, z);
        }
}

// Identity does not read saved, which may be NULL.
void fathom_activation_backward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_activation_backward_arguments *a = &arguments->activation_backward;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++)
            *fathom_at(a->dz, a->dz_stride, r, c) = *fathom_at(a->dy, a->dy_stride, r, c);
    fathom_pull_back_reference(
        &(fathom_pull_back){a->columns, a->activation, a->parameter, a->saved, a->saved_stride, a->dz, a->dz_stride, a->blocks, false}, range);
}
