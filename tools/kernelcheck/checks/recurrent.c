// Steps of sequences and recurrent cells.
#include "harness.h"

#include <stdio.h>
#include <string.h>

void make_steps(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    bool mean = operation == FATHOM_STEP_MEAN;
    fathom_steps_arguments *a = &c->call.arguments.steps;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->steps = 1 + ((p->options >> 8) + 3) % 6;  // 4 in the ordinary call
    a->scale = draw_float(&c->random, VALUES_ORDINARY);
    a->last = p->options & 1;
    size_t rows = a->steps * p->rows;
    if (mean) a->x = read_matrix(c, "x", rows, p->outputs, PADDING_FREE, &a->x_stride);
    else a->y = read_matrix(c, "y", p->rows, p->outputs, PADDING_ZERO, &a->y_stride);
    if (mean) a->y = written_matrix(c, "y", p->rows, p->outputs, PADDING_ZERO, false, &a->y_stride);
    else a->x = written_matrix(c, "x", rows, p->outputs, PADDING_ZERO, false, &a->x_stride);
    fact(c, "steps", (double)a->steps);
    fact(c, "scale", a->scale);
    fact(c, "last", a->last);
}

// Four matrices in one, each starting on a panel: columns in whole panels.
static size_t four(const plan *p) { return 4 * 16 * ((p->outputs + 15) / 16); }

// Gates and slots are what the functions left: between 0 and 1, or −1 and 1; also, among special values, anything.
static void squash(kernel_case *c, const buffer *b) {
    float *x = (float *)b->data;
    for (size_t i = 0; i < b->count && c->plan.values != VALUES_SPECIAL; i++)
        if (i % b->stride < 16 * b->rows) x[i] = x[i] > 1 ? 1 : x[i] < -1 ? -1 : x[i];
}

void make_lstm(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    bool forward = operation == FATHOM_LSTM_FORWARD, first = p->options & 1, in_place = p->options & 2;
    fathom_lstm_arguments *a = &c->call.arguments.lstm;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->last = p->options & 4;
    if (forward || in_place) a->gates = written_matrix(c, "gates", p->rows, four(p), PADDING_FREE, true, &a->gates_stride);
    else a->gates = read_matrix(c, "gates", p->rows, four(p), PADDING_FREE, &a->gates_stride);
    if (!forward) squash(c, &c->buffers[0]);
    bool same_c = forward && in_place && !first;
    if (!first && !same_c) a->c_before = read_matrix(c, "c_before", p->rows, p->outputs, PADDING_ZERO, &a->c_before_stride);
    if (forward) {
        a->c = written_matrix(c, "c", p->rows, p->outputs, PADDING_ZERO, same_c, &a->c_stride);
        a->h = written_matrix(c, "h", p->rows, p->outputs, PADDING_ZERO, false, &a->h_stride);
    } else {
        a->c = read_matrix(c, "c", p->rows, p->outputs, PADDING_ZERO, &a->c_stride);
        a->dh = read_matrix(c, "dh", p->rows, p->outputs, PADDING_ZERO, &a->dh_stride);
        a->dc = written_matrix(c, "dc", p->rows, p->outputs, PADDING_ZERO, !a->last, &a->dc_stride);
        if (!in_place) a->dgates = written_matrix(c, "dgates", p->rows, four(p), PADDING_FREE, false, &a->dgates_stride);
    }
    if (same_c) {
        a->c_before = a->c;
        a->c_before_stride = a->c_stride;
    }
    if (!forward && in_place) {
        a->dgates = a->gates;
        a->dgates_stride = a->gates_stride;
    }
    fact(c, "first", first);
    fact(c, "last", a->last);
    fact(c, "in place", in_place);
}

void make_gru(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    bool forward = operation == FATHOM_GRU_FORWARD, first = p->options & 1, in_place = p->options & 2;
    fathom_gru_arguments *a = &c->call.arguments.gru;
    a->rows = p->rows;
    a->columns = p->outputs;
    if (forward || in_place) a->slots = written_matrix(c, "slots", p->rows, four(p), PADDING_FREE, true, &a->slots_stride);
    else a->slots = read_matrix(c, "slots", p->rows, four(p), PADDING_FREE, &a->slots_stride);
    if (!forward) squash(c, &c->buffers[0]);
    bool same_h = forward && in_place && !first;
    if (!first && !same_h) a->h_before = read_matrix(c, "h_before", p->rows, p->outputs, PADDING_ZERO, &a->h_before_stride);
    if (forward) {
        a->h = written_matrix(c, "h", p->rows, p->outputs, PADDING_ZERO, same_h, &a->h_stride);
    } else {
        a->dh = read_matrix(c, "dh", p->rows, p->outputs, PADDING_ZERO, &a->dh_stride);
        if (!first) a->dh_before = written_matrix(c, "dh_before", p->rows, p->outputs, PADDING_ZERO, true, &a->dh_before_stride);
        if (!in_place) a->dslots = written_matrix(c, "dslots", p->rows, four(p), PADDING_FREE, false, &a->dslots_stride);
    }
    if (same_h) {
        a->h_before = a->h;
        a->h_before_stride = a->h_stride;
    }
    if (!forward && in_place) {
        a->dslots = a->slots;
        a->dslots_stride = a->slots_stride;
    }
    fact(c, "first", first);
    fact(c, "in place", in_place);
}

// The harness knows no padding inside of four matrices in one: that the gradients' is zero is seen here.
static bool verify_padding(const float *m, size_t stride, const plan *p, char *message, size_t size) {
    size_t panels = (p->outputs + 15) / 16;
    for (size_t k = 0; k < 4 && p->outputs % 16; k++)
        for (size_t r = 0; r < p->rows; r++)
            for (size_t i = p->outputs % 16; i < 16; i++) {
                float value = m[stride * (k * panels + panels - 1) + 16 * r + i];
                if (memcmp(&value, &(float){0}, sizeof value) == 0) continue;
                snprintf(message, size, "gradient %zu row %zu, lane %zu of the last panel is padding and must be zero, got %a", k, r, i, value);
                return false;
            }
    return true;
}

bool verify_lstm(kernel_case *c, char *message, size_t size) {
    return verify_padding(c->call.arguments.lstm.dgates, c->call.arguments.lstm.dgates_stride, &c->plan, message, size);
}

bool verify_gru(kernel_case *c, char *message, size_t size) {
    return verify_padding(c->call.arguments.gru.dslots, c->call.arguments.gru.dslots_stride, &c->plan, message, size);
}
