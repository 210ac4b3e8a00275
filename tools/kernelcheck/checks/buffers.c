// Guarded memory for cases, and its comparison.
#define _DEFAULT_SOURCE  // mmap, clocks and signals under -std=c11
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MARGIN = 256, CANARY = 0xa5 };

// A NaN that no operation makes: gaps and unwritten results hold it, so that using one shows.
static const uint32_t CANARY_FLOAT = 0x7fa5a5a5;
static const uint64_t CANARY_DOUBLE = 0x7ff5a5a5a5a5a5a5;

uint64_t draw(generator *g) {
    uint64_t z = g->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

size_t draw_below(generator *g, size_t bound) { return bound ? draw(g) % bound : 0; }
bool draw_one_in(generator *g, size_t n) { return draw_below(g, n) == 0; }

static float from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

float draw_float(generator *g, values v) {
    uint64_t bits = draw(g);
    float ordinary = (float)(int32_t)bits * 0x1p-31f;
    switch (v) {
    case VALUES_ORDINARY: return ordinary;
    case VALUES_INTEGERS: return (float)(int)(bits % 7) - 3;
    case VALUES_WIDE: {
        uint32_t wide = (uint32_t)bits;
        return (wide & 0x7f800000) == 0x7f800000 ? ordinary : from_bits(wide);
    }
    case VALUES_TINY: return ordinary * from_bits((uint32_t)(27 + (bits >> 32) % 24) << 23);
    case VALUES_SPECIAL: {
        static const uint32_t special[] = {
            0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
            0x7fc00000, 0xffc00000, 0x3f800000, 0xbf800000, 0x3f800001, 0x42b17218, 0xc2cff1b5, 0x41100000, 0xc1100000, 0x4b800000,
        };
        if ((bits >> 32) % 16) return ordinary;
        return from_bits(special[(bits >> 36) % (sizeof special / sizeof *special)]);
    }
    }
    return ordinary;
}

size_t element_size(element e) {
    static const size_t sizes[] = {4, 8, 4, 1, sizeof(uint16_t), sizeof(fathom_update)};
    return sizes[e];
}

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static void reserve(buffer *b, size_t bytes) {
    if (b->map && b->capacity >= bytes) return;
    size_t page = page_size(), capacity = (bytes + (64 << 10) + page - 1) / page * page;
    if (b->map) munmap(b->map - page, b->capacity + 2 * page);
    uint8_t *map = mmap(NULL, capacity + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b->initial = realloc(b->initial, capacity);
    b->expected = realloc(b->expected, capacity);
    b->owners = realloc(b->owners, capacity);
    if (map == MAP_FAILED || mprotect(map + page, capacity, PROT_READ | PROT_WRITE) || !b->initial || !b->expected || !b->owners) {
        fprintf(stderr, "kernelcheck: no memory for a buffer of %zu bytes\n", bytes);
        exit(71);
    }
    b->map = map + page;
    b->capacity = capacity;
}

static size_t margin_before(const buffer *b) {
    size_t room = (size_t)(b->data - b->map);
    return room < MARGIN ? room : MARGIN;
}

static size_t margin_after(const buffer *b) {
    size_t room = (size_t)(b->map + b->capacity - (b->data + b->count * element_size(b->element)));
    return room < MARGIN ? room : MARGIN;
}

static buffer *take(kernel_case *c, const char *name, element e, size_t count, bool written, size_t alignment) {
    if (c->buffer_count == CASE_BUFFERS) abort();
    buffer *b = &c->buffers[c->buffer_count++];
    size_t bytes = count * element_size(e);
    reserve(b, bytes + alignment);
    b->name = name;
    b->element = e;
    b->count = count;
    b->rows = b->columns = b->stride = 0;
    b->padding = PADDING_FREE;
    b->written = written;
    // against the guard behind it, or, one time in four, against the one before it
    b->data = b->map;
    if (!draw_one_in(&c->random, 4)) b->data += (b->capacity - bytes) / alignment * alignment;
    memset(b->data - margin_before(b), CANARY, margin_before(b));
    memset(b->data + bytes, CANARY, margin_after(b));
    if (e == ELEMENT_FLOAT)
        for (size_t i = 0; i < count; i++) memcpy(b->data + 4 * i, &CANARY_FLOAT, 4);
    else if (e == ELEMENT_DOUBLE)
        for (size_t i = 0; i < count; i++) memcpy(b->data + 8 * i, &CANARY_DOUBLE, 8);
    else
        memset(b->data, CANARY, bytes);
    return b;
}

static float *take_matrix(kernel_case *c, const char *name, size_t rows, size_t columns, padding padding, bool written, bool filled,
                          bool strided, size_t *stride) {
    size_t panels = (columns + 15) / 16;
    *stride = 16 * rows + (strided ? 16 * (1 + draw_below(&c->random, 4)) : 0);
    // the last panel ends with its last row
    size_t count = panels && rows ? (panels - 1) * *stride + 16 * rows : 0;
    buffer *b = take(c, name, ELEMENT_FLOAT, count, written, FATHOM_ALIGNMENT);
    b->rows = rows;
    b->columns = columns;
    b->stride = *stride;
    b->padding = padding;
    float *m = (float *)b->data;
    if (filled && rows)
        for (size_t p = 0; p < panels; p++)
            for (size_t i = 0; i < 16 * rows; i++) {
                bool inside = 16 * p + i % 16 < columns;
                m[p * *stride + i] = inside ? draw_float(&c->random, c->plan.values)
                    : padding == PADDING_ZERO ? 0 : draw_float(&c->random, VALUES_ORDINARY);
            }
    return m;
}

float *read_matrix(kernel_case *c, const char *name, size_t rows, size_t columns, padding padding, size_t *stride) {
    return take_matrix(c, name, rows, columns, padding, false, true, c->plan.strided, stride);
}

float *written_matrix(kernel_case *c, const char *name, size_t rows, size_t columns, padding padding, bool stored, size_t *stride) {
    return take_matrix(c, name, rows, columns, padding, true, stored, c->plan.strided, stride);
}

float *read_vector(kernel_case *c, const char *name, size_t columns, padding padding) {
    size_t stride;
    return take_matrix(c, name, 1, columns, padding, false, true, false, &stride);
}

float *written_vector(kernel_case *c, const char *name, size_t columns, padding padding, bool stored) {
    size_t stride;
    return take_matrix(c, name, 1, columns, padding, true, stored, false, &stride);
}

void *flat(kernel_case *c, const char *name, element e, size_t count, bool written, bool unaligned) {
    return take(c, name, e, count, written, unaligned ? element_size(e) : FATHOM_ALIGNMENT)->data;
}

fathom_signal_blocks signal_blocks(kernel_case *c, size_t rows, size_t panels) {
    size_t most = c->plan.options & LOW_BLOCKS ? FATHOM_PANEL : FATHOM_SIGNAL_ROWS, stride = (rows + most - 1) / most;
    if (!(c->plan.options >> 21 & 1)) return (fathom_signal_blocks){0};
    fact(c, "blocks of rows", (double)most);
    return (fathom_signal_blocks){
        flat(c, "sums of blocks", ELEMENT_DOUBLE, FATHOM_SIGNAL_SUMS * stride * panels, true, false),
        flat(c, "counts of blocks", ELEMENT_UINT16, FATHOM_SIGNAL_COUNTS * stride * panels, true, false), most, stride};
}

void fact(kernel_case *c, const char *name, double value) {
    if (c->fact_count < CASE_FACTS) {
        c->facts[c->fact_count].name = name;
        c->facts[c->fact_count++].value = value;
    }
}

void case_reset(kernel_case *c) { c->buffer_count = c->fact_count = 0; }

void case_release(kernel_case *c) {
    for (int i = 0; i < CASE_BUFFERS; i++) {
        buffer *b = &c->buffers[i];
        if (b->map) munmap(b->map - page_size(), b->capacity + 2 * page_size());
        free(b->initial);
        free(b->expected);
        free(b->owners);
    }
}

static size_t bytes_of(const buffer *b) { return b->count * element_size(b->element); }

void buffer_remember(buffer *b) { memcpy(b->initial, b->data, bytes_of(b)); }
void buffer_restore(buffer *b) { memcpy(b->data, b->initial, bytes_of(b)); }
void buffer_expect(buffer *b) { memcpy(b->expected, b->data, bytes_of(b)); }

bool buffer_margins_intact(const buffer *b) {
    size_t before = margin_before(b), after = margin_after(b);
    for (size_t i = 0; i < before; i++)
        if (b->data[-1 - (ptrdiff_t)i] != CANARY) return false;
    for (size_t i = 0; i < after; i++)
        if (b->data[bytes_of(b) + i] != CANARY) return false;
    return true;
}

static bool same_float(float a, float b) { return memcmp(&a, &b, 4) == 0 || (isnan(a) && isnan(b)); }
static bool same_double(double a, double b) { return memcmp(&a, &b, 8) == 0 || (isnan(a) && isnan(b)); }

static bool same_update(const fathom_update *a, const fathom_update *b) {
    return same_double(a->gradient_norm, b->gradient_norm) && same_double(a->clipped_gradient_norm, b->clipped_gradient_norm)
        && same_float(a->clip_coefficient, b->clip_coefficient) && a->finite == b->finite
        && memcmp(a, b, offsetof(fathom_update, gradient_norm)) == 0;
}

static bool same(const buffer *b, const uint8_t *x, const uint8_t *y, size_t i) {
    switch (b->element) {
    case ELEMENT_FLOAT: return same_float(((const float *)x)[i], ((const float *)y)[i]);
    case ELEMENT_DOUBLE: return same_double(((const double *)x)[i], ((const double *)y)[i]);
    case ELEMENT_UPDATE: return same_update((const fathom_update *)x + i, (const fathom_update *)y + i);
    default: return memcmp(x + i * element_size(b->element), y + i * element_size(b->element), element_size(b->element)) == 0;
    }
}

typedef enum place { PLACE_INSIDE, PLACE_PADDING, PLACE_GAP } place;

static place place_of(const buffer *b, size_t i) {
    if (!b->stride) return PLACE_INSIDE;
    size_t panel = i / b->stride, within = i % b->stride;
    if (within >= 16 * b->rows) return PLACE_GAP;
    return 16 * panel + within % 16 < b->columns ? PLACE_INSIDE : PLACE_PADDING;
}

size_t buffer_difference(const buffer *b) {
    if (memcmp(b->data, b->expected, bytes_of(b)) == 0) return b->count;
    for (size_t i = 0; i < b->count; i++)
        if (!same(b, b->data, b->expected, i) && !(b->padding == PADDING_FREE && place_of(b, i) == PLACE_PADDING)) return i;
    return b->count;
}

size_t buffer_violation(const buffer *b, bool finite, const char **rule) {
    size_t size = element_size(b->element);
    if (!b->written) {
        *rule = "is read only, but was changed";
        if (memcmp(b->data, b->initial, bytes_of(b)) == 0) return b->count;
        for (size_t i = 0;; i++)
            if (memcmp(b->data + i * size, b->initial + i * size, size)) return i;
    }
    if (!b->stride) return b->count;
    for (size_t i = 0; i < b->count; i++) {
        place where = place_of(b, i);
        if (where == PLACE_INSIDE) continue;
        *rule = "lies between panels, but was changed";
        if (where == PLACE_GAP && memcmp(b->data + 4 * i, b->initial + 4 * i, 4)) return i;
        if (where == PLACE_GAP) continue;
        float value = ((const float *)b->data)[i];
        *rule = "is padding and must be zero";
        if (b->padding == PADDING_ZERO && !same_float(value, 0)) return i;
        *rule = "is padding and must be finite";
        if (b->padding == PADDING_FREE && finite && !isfinite(value)) return i;
    }
    return b->count;
}

void buffer_forget_owners(buffer *b) { memset(b->owners, 0, b->count); }

void buffer_count_owners(buffer *b) {
    size_t size = element_size(b->element);
    for (size_t i = 0; i < b->count; i++)
        if (memcmp(b->data + i * size, b->initial + i * size, size)) b->owners[i]++;
}

size_t buffer_owner_violation(const buffer *b) {
    for (size_t i = 0; i < b->count; i++) {
        bool changes = !same(b, b->expected, b->initial, i);
        if (b->owners[i] > 1 || (changes && b->owners[i] == 0 && place_of(b, i) == PLACE_INSIDE)) return i;
    }
    return b->count;
}

int element_describe(char *text, size_t size, const buffer *b, const uint8_t *bytes, size_t i) {
    switch (b->element) {
    case ELEMENT_FLOAT: {
        float f = ((const float *)bytes)[i];
        return snprintf(text, size, "%.9g (%a)", f, f);
    }
    case ELEMENT_DOUBLE: {
        double d = ((const double *)bytes)[i];
        return snprintf(text, size, "%.17g (%a)", d, d);
    }
    case ELEMENT_INT32: return snprintf(text, size, "%d", ((const int32_t *)bytes)[i]);
    case ELEMENT_BYTE: return snprintf(text, size, "%d", bytes[i]);
    case ELEMENT_UINT16: return snprintf(text, size, "%#x", ((const uint16_t *)bytes)[i]);
    case ELEMENT_UPDATE: {
        const fathom_update *u = (const fathom_update *)bytes + i;
        return snprintf(text, size, "{gradient_norm %a, clipped_gradient_norm %a, clip_coefficient %a, finite %d}", u->gradient_norm,
                        u->clipped_gradient_norm, u->clip_coefficient, u->finite);
    }
    }
    return 0;
}

int position_describe(char *text, size_t size, const buffer *b, size_t i) {
    if (!b->stride) return snprintf(text, size, "%s[%zu]", b->name, i);
    size_t panel = i / b->stride, within = i % b->stride;
    return snprintf(text, size, "%s row %zu, column %zu", b->name, within / 16, 16 * panel + within % 16);
}
