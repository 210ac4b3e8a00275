// The optimizers' fused passes: clipping, decoupled decay, state and parameters, 16 elements a time. Operation for operation reference/optimizer.c.
// Bound by memory: sgd moves 12 bytes an element (20 with momentum), lion 20, rmsprop 20 (28 with momentum), adam 28.

// The coefficient, then the limit on values; NaN stays.
INLINE vf clipped(vf g, vf coefficient, vf limit) {
    vf x = g * coefficient;
    return vf_select(x > limit, limit, vf_select(x < -limit, -limit, x));
}

INLINE void sgd_pass(const fathom_optimizer_arguments *o, fathom_range range, bool has_velocity, bool nesterov) {
    const fathom_update *update = o->update;
    float *restrict p = o->p, *restrict m = o->m;
    const float *restrict g = o->g;
    vf coefficient = vf_set(update->clip_coefficient), limit = vf_set(update->clip_value), momentum = vf_set(update->momentum);
    vf decay = vf_set(-(update->learning_rate * o->decay)), rate = vf_set(-update->learning_rate);
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES) {
        vf direction = clipped(vf_load(g + i), coefficient, limit);
        if (has_velocity) {
            vf velocity = vf_fma(momentum, vf_load(m + i), direction);
            vf_store(m + i, velocity);
            direction = nesterov ? vf_fma(momentum, velocity, direction) : velocity;
        }
        vf parameter = vf_load(p + i);
        vf_store(p + i, vf_fma(rate, direction, vf_fma(decay, parameter, parameter)));
    }
}

static void KERNEL(sgd)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    if (!o->update->finite) return;
    if (!o->m) sgd_pass(o, range, false, false);
    else if (o->update->nesterov) sgd_pass(o, range, true, true);
    else sgd_pass(o, range, true, false);
}

static void KERNEL(adam)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    const fathom_update *update = o->update;
    if (!update->finite) return;
    float *restrict p = o->p, *restrict m = o->m, *restrict v = o->v;
    const float *restrict g = o->g;
    vf coefficient = vf_set(update->clip_coefficient), limit = vf_set(update->clip_value);
    vf rate = vf_set(update->learning_rate * update->correction1), decay = vf_set(-(update->learning_rate * o->decay));
    vf beta1_rest = vf_set(1 - update->beta1), beta2 = vf_set(update->beta2), beta2_rest = vf_set(1 - update->beta2);
    vf correction2 = vf_set(update->correction2), epsilon = vf_set(update->epsilon);
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES) {
        vf gradient = clipped(vf_load(g + i), coefficient, limit), parameter = vf_load(p + i), old = vf_load(m + i);
        vf first = vf_fma(beta1_rest, gradient - old, old);
        vf second = vf_fma(beta2_rest * gradient, gradient, beta2 * vf_load(v + i));
        vf_store(m + i, first);
        vf_store(v + i, second);
        vf step = rate * first / vf_fma(vf_sqrt(second), correction2, epsilon);
        vf_store(p + i, vf_fma(decay, parameter, parameter) - step);
    }
}

INLINE void rmsprop_pass(const fathom_optimizer_arguments *o, fathom_range range, bool has_velocity) {
    const fathom_update *update = o->update;
    float *restrict p = o->p, *restrict m = o->m, *restrict v = o->v;
    const float *restrict g = o->g;
    vf coefficient = vf_set(update->clip_coefficient), limit = vf_set(update->clip_value), momentum = vf_set(update->momentum);
    vf decay = vf_set(-(update->learning_rate * o->decay)), rate = vf_set(-update->learning_rate), epsilon = vf_set(update->epsilon);
    vf beta2 = vf_set(update->beta2), beta2_rest = vf_set(1 - update->beta2);
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES) {
        vf gradient = clipped(vf_load(g + i), coefficient, limit), parameter = vf_load(p + i);
        vf second = vf_fma(beta2_rest * gradient, gradient, beta2 * vf_load(v + i));
        vf direction = gradient / (vf_sqrt(second) + epsilon);
        if (has_velocity) {
            direction = vf_fma(momentum, vf_load(m + i), direction);
            vf_store(m + i, direction);
        }
        vf_store(v + i, second);
        vf_store(p + i, vf_fma(rate, direction, vf_fma(decay, parameter, parameter)));
    }
}

static void KERNEL(rmsprop)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    if (!o->update->finite) return;
    if (o->m) rmsprop_pass(o, range, true);
    else rmsprop_pass(o, range, false);
}

static void KERNEL(lion)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    const fathom_update *update = o->update;
    if (!update->finite) return;
    float *restrict p = o->p, *restrict m = o->m;
    const float *restrict g = o->g;
    vf coefficient = vf_set(update->clip_coefficient), limit = vf_set(update->clip_value);
    vf rate = vf_set(update->learning_rate), decay = vf_set(-(update->learning_rate * o->decay));
    vf beta1 = vf_set(update->beta1), beta1_rest = vf_set(1 - update->beta1), beta2 = vf_set(update->beta2), beta2_rest = vf_set(1 - update->beta2);
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES) {
        vf gradient = clipped(vf_load(g + i), coefficient, limit), parameter = vf_load(p + i), old = vf_load(m + i);
        vf blend = vf_fma(beta1_rest, gradient, beta1 * old);
        vf step = vf_select(blend > 0, rate, vf_select(blend < 0, -rate, blend));
        vf_store(m + i, vf_fma(beta2_rest, gradient, beta2 * old));
        vf_store(p + i, vf_fma(decay, parameter, parameter) - step);
    }
}
