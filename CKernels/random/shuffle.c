// A random permutation, a function of seed and stream.
#include "../core/table.h"
#include "philox.h"

// The words of a stream in order.
typedef struct word_source {
    uint64_t seed, stream, taken;
    philox_block block;
} word_source;

static uint32_t next_word(word_source *source) {
    if (source->taken % 4 == 0) source->block = philox_of(source->taken / 4, source->stream, 0, source->seed);
    return source->block.word[source->taken++ % 4];
}

// An integer below `bound`, every one equally likely: the high half of word·bound, where the low half is not among the 2³² mod bound
// smallest (Lemire, "Fast random integer generation in an interval", ACM TOMACS 29(1), 2019, algorithm 5).
static uint32_t below(uint32_t bound, word_source *source) {
    uint64_t product = (uint64_t)next_word(source) * bound;
    if ((uint32_t)product < bound) {
        uint32_t excess = (0u - bound) % bound;
        while ((uint32_t)product < excess) product = (uint64_t)next_word(source) * bound;
    }
    return (uint32_t)(product >> 32);
}

void fathom_shuffle(uint32_t *order, size_t count, uint64_t seed, uint64_t stream) {
    word_source source = {.seed = seed, .stream = stream};
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        uint32_t j = below((uint32_t)i, &source), last = order[i - 1];
        order[i - 1] = order[j];
        order[j] = last;
    }
}
