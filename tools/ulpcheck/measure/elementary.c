// The functions of simd/math.h, four lanes at a time. Their bits are those of every other instance.
#include "ulp_measure.h"

#define LANES 4
#define EMULATE_FMA
#include "../../../CKernels/simd/vector.h"
#include "../../../CKernels/simd/math.h"

INLINE vf elementary(int index, vf x) {
    vf sine, cosine;
    switch (index) {
    case 0: return vf_exp(x);
    case 1: return vf_expm1(x);
    case 2: return vf_log(x);
    case 3: return vf_log1p(x);
    default:
        vf_sincos_2pi(x, &sine, &cosine);
        return index == 4 ? sine : cosine;
    }
}

void ulp_evaluate_elementary(int index, const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i += LANES) vf_store(y + i, elementary(index, vf_load(x + i)));
}
