// The functions of simd/math.h on one number, and the fixed tree of 16 sums.
#ifndef FATHOM_SCALAR_H
#define FATHOM_SCALAR_H

#include "reference.h"

#define LANES 1
#define EMULATE_FMA
#define KERNEL(name) name##_scalar
#include "../simd/vector.h"
#include "../simd/math.h"

static inline float fathom_exp_reference(float x) { return vf_exp((vf){x})[0]; }
static inline float fathom_log_reference(float x) { return vf_log((vf){x})[0]; }
static inline float fathom_log1p_reference(float x) { return vf_log1p((vf){x})[0]; }

// The sum of 16 numbers: halves are added, 8, 4, 2, 1. Overwrites them.
static inline double fathom_tree16_reference(double lane[FATHOM_PANEL]) {
    for (int half = FATHOM_PANEL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

static inline float fathom_float_tree16_reference(float lane[FATHOM_PANEL]) {
    for (int half = FATHOM_PANEL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

#endif
