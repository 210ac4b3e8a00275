// Independent chains of fused multiply-adds in registers. Parameters of the include: NAME; LANES, floats in a register; CHAINS, at
// least latency × throughput of the processor's multiply-adds (8 on Zen and Intel, 16 on Apple's), at most its registers less two;
// REGISTER, the assembler's constraint for one.
typedef float NAME(vector) __attribute__((vector_size(4 * LANES)));

static float NAME(chains)(size_t rounds) {
    NAME(vector) a = (NAME(vector)){0} + 1.0000001f, b = (NAME(vector)){0} + 1e-9f, c[CHAINS];
    for (int i = 0; i < CHAINS; i++) c[i] = b;
    for (size_t r = 0; r < rounds; r++)
        _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) {
            c[i] = __builtin_elementwise_fma(a, c[i], b);
            __asm__ volatile("" : "+" REGISTER(c[i]));  // keeps the rounds from being folded
        }
    for (int i = 1; i < CHAINS; i++) c[0] += c[i];
    return c[0][0];
}

#undef NAME
#undef LANES
#undef CHAINS
#undef REGISTER
