// A small vocabulary of vector operations over LANES floats, in clang's vector extensions: the same words on every instruction set.
//
// Parameters of the include:
//   LANES       1 (plain C), 4, 8 or 16; a panel row is 16/LANES vectors
//   EMULATE_FMA defined where the processor has no fused multiply-add
//   KERNEL(n)   the name of function n on this instruction set, e.g. n##_avx2
// Comparisons give masks (−1 or 0 in each lane), as the extensions do.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A vector wider than the set's registers (float64 beside float32) is passed between functions only in calls that are inlined away.
#pragma clang diagnostic ignored "-Wpsabi"

#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop vectorize(disable) unroll(disable)")  // neither vectorized nor unrolled
#define COLD __attribute__((noinline, cold))
#define SELDOM(condition) __builtin_expect(condition, 0)  // the code it guards is moved out of the way
#define INLINE static inline __attribute__((always_inline))
#define FENCE __asm__ volatile("" ::: "memory")  // clang moves no load or store across it

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef double vd __attribute__((vector_size(8 * LANES)));
typedef int64_t vl __attribute__((vector_size(8 * LANES)));
typedef uint64_t vul __attribute__((vector_size(8 * LANES)));

enum { VECTORS = 16 / LANES };  // vectors in a panel row

INLINE vf vf_load(const float *p) { return *(const vf *)p; }
INLINE void vf_store(float *p, vf a) { *(vf *)p = a; }
// a − 0 is a for every a and folds away; 0 + a would turn −0 into +0.
INLINE vf vf_set(float a) { return a - (vf){0}; }
INLINE vi vi_set(int32_t a) { return a - (vi){0}; }
INLINE vd vd_set(double a) { return a - (vd){0}; }
// The lanes of v from i on; where v is NULL, `otherwise` in each.
INLINE vf vf_load_or(const float *v, size_t i, float otherwise) { return v ? vf_load(v + i) : vf_set(otherwise); }
INLINE vi vf_bits(vf a) { return (vi)a; }
INLINE vf vf_from_bits(vi a) { return (vf)a; }
INLINE vf vf_select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
INLINE vd vd_select(vl mask, vd a, vd b) { return (vd)((mask & (vl)a) | (~mask & (vl)b)); }
INLINE vf vf_abs(vf a) { return (vf)((vi)a & 0x7fffffff); }
INLINE vf vf_sqrt(vf a) { return __builtin_elementwise_sqrt(a); }
INLINE vd vd_sqrt(vd a) { return __builtin_elementwise_sqrt(a); }
INLINE vd vf_to_double(vf a) { return __builtin_convertvector(a, vd); }
INLINE vf vd_to_float(vd a) { return __builtin_convertvector(a, vf); }

// The larger; NaN where either is.
INLINE vf vf_max(vf a, vf b) { return vf_select((a > b) | (a != a), a, b); }

// Lanes i with base + i < count, for the last panel.
INLINE vi vi_below(size_t base, size_t count) {
    vi lane;
    UNROLL for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane < vi_set((int32_t)(count > base ? (count - base < LANES ? count - base : LANES) : 0));
}

INLINE bool vi_any(vi mask) { return __builtin_reduce_or(mask) != 0; }

// Of each vector of a panel row, the lanes that are columns rather than padding.
INLINE void vi_live(vi live[VECTORS], size_t panel, size_t columns) {
    UNROLL for (int q = 0; q < VECTORS; q++) live[q] = vi_below(panel * 16 + q * LANES, columns);
}

// a where live, +0 elsewhere, whatever a is there.
INLINE vf vf_where(vi live, vf a) { return vf_from_bits(live & vf_bits(a)); }

#ifdef EMULATE_FMA
// a·b + c with one rounding, without the instruction. The product of two floats is exact in float64 (48 bits). Its sum with c is rounded to
// odd there (the error of the addition, by Knuth's TwoSum, decides the last bit), so that the rounding to float32 is right
// also for subnormals (Boldo & Melquiond 2008, "Emulation of FMA and correctly rounded sums").
INLINE vf vf_fma(vf a, vf b, vf c) {
    vd product = vf_to_double(a) * vf_to_double(b), addend = vf_to_double(c);
    vd sum = product + addend;
    vd back = sum - product;
    vd error = (product - (sum - back)) + (addend - back);
    vl bits = (vl)sum;
    vl inexact = (error != 0) & (error == error) & ((bits & 0x7ff0000000000000) != 0x7ff0000000000000);
    vl away = ((vl)error ^ bits) >= 0;  // the error has the sum's sign: the exact value is farther from zero
    // round to odd: where the last bit is even, step to the neighbour on the exact value's side
    vl step = inexact & ((bits & 1) == 0) & ((away & 1) | (~away & -1));
    return vd_to_float((vd)(bits + step));
}
#else
INLINE vf vf_fma(vf a, vf b, vf c) { return __builtin_elementwise_fma(a, b, c); }
#endif

// The sum of the 16 lanes of a panel row of float64 partial sums, in a fixed tree: halves are added, 8, 4, 2, 1.
// Written in vectors, since clang makes scalars of loops over the lanes where several trees stand side by side.
INLINE double vd_tree16(const vd parts[VECTORS]) {
    typedef double v16 __attribute__((vector_size(128)));
    v16 a;
    __builtin_memcpy(&a, parts, sizeof a);
    __auto_type b = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
    __auto_type c = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
    __auto_type d = __builtin_shufflevector(c, c, 0, 1) + __builtin_shufflevector(c, c, 2, 3);
    return d[0] + d[1];
}

// The same of float32 sums.
INLINE float vf_tree16(const vf parts[VECTORS]) {
    typedef float v16 __attribute__((vector_size(64)));
    v16 a;
    __builtin_memcpy(&a, parts, sizeof a);
    __auto_type b = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
    __auto_type c = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
    __auto_type d = __builtin_shufflevector(c, c, 0, 1) + __builtin_shufflevector(c, c, 2, 3);
    return d[0] + d[1];
}

// And of counts.
INLINE int32_t vi_sum16(const vi parts[VECTORS]) {
    typedef int32_t v16 __attribute__((vector_size(64)));
    v16 a;
    __builtin_memcpy(&a, parts, sizeof a);
    __auto_type b = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
    __auto_type c = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
    __auto_type d = __builtin_shufflevector(c, c, 0, 1) + __builtin_shufflevector(c, c, 2, 3);
    return d[0] + d[1];
}

// The halves of two panel rows added, side by side: the first step of two trees.
typedef float vf_row __attribute__((vector_size(64)));
INLINE vf_row vf_halves(vf_row a, vf_row b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

// The sums of 1, 2 or 4 panel rows, each in that tree. Together they cost little more than one.
typedef float vf_four __attribute__((vector_size(16)));
INLINE vf_four vf_trees16(const vf *parts, int count) {
    if (count == 1) return vf_tree16(parts) - (vf_four){0};
    vf_row a[4];
    __builtin_memcpy(a, parts, (size_t)count * sizeof *a);
    vf_row b = vf_halves(a[0], a[1]);
    if (count == 2) {
        __auto_type c = __builtin_shufflevector(b, b, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(b, b, 4, 5, 6, 7, 12, 13, 14, 15);
        __auto_type d = c + __builtin_shufflevector(c, c, 2, 3, 0, 1, 6, 7, 4, 5);
        __auto_type e = d + __builtin_shufflevector(d, d, 1, 0, 3, 2, 5, 4, 7, 6);
        return __builtin_shufflevector(e, e, 0, 4, 0, 4);
    }
    vf_row other = vf_halves(a[2], a[3]);
    vf_row c = __builtin_shufflevector(b, other, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
               __builtin_shufflevector(b, other, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    vf_row d = c + __builtin_shufflevector(c, c, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    vf_row e = d + __builtin_shufflevector(d, d, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return __builtin_shufflevector(e, e, 0, 4, 8, 12);
}

// Bit i: whether lane i of a panel row of masks is set.
INLINE uint32_t vi_lanes16(const vi masks[VECTORS]) {
    typedef bool lanes __attribute__((ext_vector_type(LANES)));
    uint32_t bits = 0;
    UNROLL for (int q = 0; q < VECTORS; q++) {
        lanes some = __builtin_convertvector(masks[q], lanes);
        uint16_t part = 0;
        __builtin_memcpy(&part, &some, sizeof some);
        bits |= (part & ((1u << LANES) - 1)) << (q * LANES);
    }
    return bits;
}
