// The optimizers' fused passes: clipping, decoupled decay, state and parameters, 16 elements a time. Operation for operation reference/optimizer.c.
// Bound by memory: sgd moves 12 bytes an element (20 with momentum), lion 20, rmsprop 20 (28 with momentum), adam 28. Needs instrument/change.h.

// The coefficient, then the limit on values; NaN stays.
INLINE vf clipped(vf g, vf coefficient, vf limit) {
    vf x = g * coefficient;
    vf below = vf_select(x > limit, limit, x);
    return vf_select(below < -limit, -limit, below);
}

// What a pass holds in registers: the step's numbers.
typedef struct pass_numbers {
    vf coefficient, limit, rate, decay, momentum, beta1, beta1_rest, beta2, beta2_rest, correction2, epsilon;
    bool nesterov;
    bool limits;  // whether values are limited
} pass_numbers;

// One vector of the gradient, clipped. Where values have no limit nothing is compared: comparisons take the units that multiply, and these are what counts once changes are summed.
INLINE vf pass_gradient(const fathom_optimizer_arguments *o, const pass_numbers *n, size_t i) {
    vf g = vf_load(o->g + i);
    return n->limits ? clipped(g, n->coefficient, n->limit) : g * n->coefficient;
}

// What becomes of one vector of parameters, whose state is moved on.
typedef vf pass_step(const fathom_optimizer_arguments *o, const pass_numbers *n, size_t i, vf parameter);

INLINE vf sgd_step(const fathom_optimizer_arguments *o, const pass_numbers *n, size_t i, vf parameter) {
    vf direction = pass_gradient(o, n, i);
    if (o->m) {
        vf velocity = vf_fma(n->momentum, vf_load(o->m + i), direction);
        vf_store(o->m + i, velocity);
        direction = n->nesterov ? vf_fma(n->momentum, velocity, direction) : velocity;
    }
    return vf_fma(-n->rate, direction, vf_fma(n->decay, parameter, parameter));
}

INLINE vf adam_step(const fathom_optimizer_arguments *o, const pass_numbers *n, size_t i, vf parameter) {
    vf gradient = pass_gradient(o, n, i), old = vf_load(o->m + i);
    vf first = vf_fma(n->beta1_rest, gradient - old, old);
    vf second = vf_fma(n->beta2_rest * gradient, gradient, n->beta2 * vf_load(o->v + i));
    vf_store(o->m + i, first);
    vf_store(o->v + i, second);
    return vf_fma(n->decay, parameter, parameter) - n->rate * first / vf_fma(vf_sqrt(second), n->correction2, n->epsilon);
}

INLINE vf rmsprop_step(const fathom_optimizer_arguments *o, const pass_numbers *n, size_t i, vf parameter) {
    vf gradient = pass_gradient(o, n, i);
    vf second = vf_fma(n->beta2_rest * gradient, gradient, n->beta2 * vf_load(o->v + i));
    vf direction = gradient / (vf_sqrt(second) + n->epsilon);
    if (o->m) {
        direction = vf_fma(n->momentum, vf_load(o->m + i), direction);
        vf_store(o->m + i, direction);
    }
    vf_store(o->v + i, second);
    return vf_fma(-n->rate, direction, vf_fma(n->decay, parameter, parameter));
}

INLINE vf lion_step(const fathom_optimizer_arguments *o, const pass_numbers *n, size_t i, vf parameter) {
    vf gradient = pass_gradient(o, n, i), old = vf_load(o->m + i);
    vf blend = vf_fma(n->beta1_rest, gradient, n->beta1 * old);
    vf step = vf_select(blend > 0, n->rate, vf_select(blend < 0, -n->rate, blend));
    vf_store(o->m + i, vf_fma(n->beta2_rest, gradient, n->beta2 * old));
    return vf_fma(n->decay, parameter, parameter) - step;
}

// Asks for what the pass reads some 32 lines on: for the parameters, which other threads have read, to be written; for the rest where it comes from memory. Not
// beyond row `stop`, where another thread's may begin.
INLINE void ask_ahead(const fathom_optimizer_arguments *o, size_t i, size_t stop, bool is_far) {
    enum { AHEAD = 32 * FATHOM_PANEL };
    if (LANES < FATHOM_PANEL && i % FATHOM_PANEL > 0) return;
    size_t at = least(i + AHEAD, FATHOM_PANEL * (stop - 1));
    __builtin_prefetch(o->p + at, 1);
    if (!is_far) return;
    __builtin_prefetch(o->g + at);
    if (o->m) __builtin_prefetch(o->m + at, 1);
    if (o->v) __builtin_prefetch(o->v + at, 1);
}

// Rows begin ..< end of the arrays, of one segment of a block; the pass goes on to row `stop`.
INLINE void measured_rows(
    const fathom_optimizer_arguments *o, const pass_numbers *n, size_t begin, size_t end, size_t stop, bool is_far, change_lanes *lanes,
    pass_step *step) {
    for (size_t row = begin; row < end; row += FATHOM_CHANGE_CHAIN) {
        vf of_before[VECTORS] = {0}, of_change[VECTORS] = {0};
        size_t rows = least(FATHOM_CHANGE_CHAIN, end - row);
        for (size_t r = 0; r < rows; r++) UNROLL for (int q = 0; q < VECTORS; q++) {
            size_t i = (row + r) * FATHOM_PANEL + q * LANES;
            ask_ahead(o, i, stop, is_far);
            vf before = vf_load(o->p + i), after = step(o, n, i, before);
            vf_store(o->p + i, after);
            change_add(&of_before[q], &of_change[q], before, after);
        }
        change_add_chain(lanes, of_before, of_change);
    }
}

// Rows row ..< stop of the arrays, of one segment. Inlined with a constant is_far: beside sgd's few operations a test for each row is time.
INLINE void optimizer_rows(
    const fathom_optimizer_arguments *o, const pass_numbers *n, const fathom_segment *segment, size_t row, size_t stop, bool measures, bool is_far, pass_step *step) {
    if (!measures) {
        for (size_t i = row * FATHOM_PANEL; i < stop * FATHOM_PANEL; i += LANES) {
            ask_ahead(o, i, stop, is_far);
            vf_store(o->p + i, step(o, n, i, vf_load(o->p + i)));
        }
        return;
    }
    for (size_t end; row < stop; row = end) {
        end = least(stop, row - row % FATHOM_CHANGE_ROWS + FATHOM_CHANGE_ROWS);
        change_lanes lanes = {0};
        measured_rows(o, n, row, end, stop, is_far, &lanes, step);
        change_store(segment, row, &lanes);
    }
}

// Inlined with a constant step, and with constants for whether the changes are measured, and for which of the state there is.
INLINE void optimizer_pass(const fathom_optimizer_arguments *arguments, fathom_range range, float rate, bool measures, bool has_m, bool nesterov, pass_step *step) {
    const fathom_update *u = arguments->update;
    fathom_optimizer_arguments o = *arguments;
    if (!has_m) o.m = NULL;
    __builtin_assume(!has_m || o.m);
    int32_t limit_bits;  // an integer is compared once for all rows; a float in each, with what multiplies
    __builtin_memcpy(&limit_bits, &u->clip_value, sizeof limit_bits);
    pass_numbers n = {
        vf_set(u->clip_coefficient), vf_set(u->clip_value), vf_set(rate), vf_set(-(u->learning_rate * o.decay)), vf_set(u->momentum), vf_set(u->beta1),
        vf_set(1 - u->beta1), vf_set(u->beta2), vf_set(1 - u->beta2), vf_set(u->correction2), vf_set(u->epsilon), nesterov,
        limit_bits < 0x7f800000,
    };
    const fathom_segment whole = {0, range.row_end, 0, NULL};
    for (const fathom_segment *s = o.segments ? o.segments : &whole;; s++) {
        size_t begin = s->row_begin > range.row_begin ? s->row_begin : range.row_begin, stop = least(s->row_end, range.row_end);
        size_t first = begin - s->row_begin + s->first, last = stop - s->row_begin + s->first;
        if (begin < stop && o.far) optimizer_rows(&o, &n, s, first, last, measures, true, step);
        else if (begin < stop) optimizer_rows(&o, &n, s, first, last, measures, false, step);
        if (s->row_end >= range.row_end) return;
    }
}

INLINE void optimizer_passes(const fathom_optimizer_arguments *o, fathom_range range, float rate, bool has_m, bool nesterov, pass_step *step) {
    if (!o->update->finite) return;
    if (o->segments && o->segments->changes) optimizer_pass(o, range, rate, true, has_m, nesterov, step);
    else optimizer_pass(o, range, rate, false, has_m, nesterov, step);
}

static void KERNEL(sgd)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    float rate = o->update->learning_rate;
    if (!o->m) optimizer_passes(o, range, rate, false, false, sgd_step);
    else if (o->update->nesterov) optimizer_passes(o, range, rate, true, true, sgd_step);
    else optimizer_passes(o, range, rate, true, false, sgd_step);
}

static void KERNEL(adam)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    optimizer_passes(o, range, o->update->learning_rate * o->update->correction1, true, false, adam_step);
}

static void KERNEL(rmsprop)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    if (o->m) optimizer_passes(o, range, o->update->learning_rate, true, false, rmsprop_step);
    else optimizer_passes(o, range, o->update->learning_rate, false, false, rmsprop_step);
}

static void KERNEL(lion)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    optimizer_passes(o, range, o->update->learning_rate, true, false, lion_step);
}
