// Philox 4×32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3 and table 2.
// A counter-based generator: a block of four words is a function of its 128-bit counter and 64-bit key. Checked against the authors' known answers.
#ifndef FATHOM_PHILOX_H
#define FATHOM_PHILOX_H

#include <stdint.h>

enum { PHILOX_ROUNDS = 10 };
#define PHILOX_MULTIPLIER_0 0xd2511f53u
#define PHILOX_MULTIPLIER_1 0xcd9e8d57u
#define PHILOX_KEY_STEP_0 0x9e3779b9u  // the golden ratio's fraction
#define PHILOX_KEY_STEP_1 0xbb67ae85u  // √3 − 1

typedef struct philox_block {
    uint32_t word[4];
} philox_block;

static inline philox_block philox(philox_block counter, uint32_t key0, uint32_t key1) {
    uint32_t *c = counter.word;
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t product0 = (uint64_t)PHILOX_MULTIPLIER_0 * c[0], product1 = (uint64_t)PHILOX_MULTIPLIER_1 * c[2];
        c[0] = (uint32_t)(product1 >> 32) ^ c[1] ^ key0;
        c[1] = (uint32_t)product1;
        c[2] = (uint32_t)(product0 >> 32) ^ c[3] ^ key1;
        c[3] = (uint32_t)product0;
        key0 += PHILOX_KEY_STEP_0;
        key1 += PHILOX_KEY_STEP_1;
    }
    return counter;
}

// The high words of the counters of a stream, as fathom_random_arguments defines them.
static inline uint32_t philox_stream_low(uint64_t stream) { return (uint32_t)stream; }
static inline uint32_t philox_stream_high(uint64_t stream, uint8_t purpose) { return (uint32_t)(stream >> 32) ^ (uint32_t)purpose << 24; }

// Block `index` of a stream.
static inline philox_block philox_of(uint64_t index, uint64_t stream, uint8_t purpose, uint64_t seed) {
    philox_block counter = {{(uint32_t)index, (uint32_t)(index >> 32), philox_stream_low(stream), philox_stream_high(stream, purpose)}};
    return philox(counter, (uint32_t)seed, (uint32_t)(seed >> 32));
}

#endif
