// The optimizers' passes in plain C: the definition, fused operations included, of what every instruction set computes; and the step's clipping.
#include <math.h>

#include "reference.h"

// The largest and smallest value passed through; NaN stays.
static float clamped(float x, float limit) { return x > limit ? limit : x < -limit ? -limit : x; }

// Sums of panels become sums of tensors, then the sum of all, each in one chain in order.
static double total_of(const fathom_clip_arguments *c, const double *sums, double *tensor_norms) {
    double total = 0;
    size_t panel = 0;
    for (size_t i = 0; i < c->tensors; i++) {
        double sum = 0;
        for (; panel < c->ends[i]; panel++) sum += sums[panel];
        if (tensor_norms) tensor_norms[i] = sqrt(sum);
        total += sum;
    }
    return total;
}

// A NaN norm gives a NaN coefficient: it compares with nothing. With a limit on values the norm after clipping is that of the clipped values; a limit
// on the norm beside it makes it an upper bound (the values are cut after the multiplication).
void fathom_clip_reference(const fathom_arguments *arguments, fathom_range range) {
    (void)range;
    const fathom_clip_arguments *c = &arguments->clip;
    fathom_update *update = c->update;
    double total = total_of(c, c->sums, c->tensor_norms), norm = sqrt(total), limit = update->clip_norm;
    float coefficient = norm <= limit ? 1 : (float)(limit / norm);
    double clipped = norm * coefficient;
    if (update->clip_value < INFINITY) {
        double of_values = sqrt(total_of(c, c->clipped_sums, NULL));
        if (!(of_values >= clipped)) clipped = of_values;
    }
    update->gradient_norm = norm;
    update->clipped_gradient_norm = clipped;
    update->clip_coefficient = coefficient;
    update->finite = isfinite(total) && isfinite(*c->loss);
}

typedef void optimizer_rows(const fathom_optimizer_arguments *o, fathom_range rows);

// Rows of the arrays, block by block, with the sums of what is changed in each.
static void measured(optimizer_rows *step, const fathom_optimizer_arguments *o, const fathom_segment *segment, size_t row, size_t row_end) {
    for (size_t end; row < row_end; row = end) {
        end = (row / FATHOM_CHANGE_ROWS + 1) * FATHOM_CHANGE_ROWS;
        if (end > row_end) end = row_end;
        float before[FATHOM_CHANGE_ROWS * FATHOM_PANEL];
        memcpy(before, o->p + row * FATHOM_PANEL, (end - row) * FATHOM_PANEL * sizeof *before);
        step(o, (fathom_range){row, end, 0, 1});
        fathom_change_reference(segment, before, o->p, row, end);
    }
}

// Runs the rows of a pass, segment by segment.
static void pass(optimizer_rows *step, const fathom_arguments *arguments, fathom_range range) {
    const fathom_optimizer_arguments *o = &arguments->optimizer;
    if (!o->update->finite) return;
    if (!o->segments) {
        step(o, range);
        return;
    }
    for (const fathom_segment *s = o->segments;; s++) {
        size_t begin = s->row_begin > range.row_begin ? s->row_begin : range.row_begin, end = s->row_end < range.row_end ? s->row_end : range.row_end;
        if (begin < end) {
            fathom_range rows = {begin - s->row_begin + s->first, end - s->row_begin + s->first, 0, 1};
            if (s->changes) measured(step, o, s, rows.row_begin, rows.row_end);
            else step(o, rows);
        }
        if (s->row_end >= range.row_end) return;
    }
}

static void sgd(const fathom_optimizer_arguments *o, fathom_range range) {
    const fathom_update *update = o->update;
    float rate = update->learning_rate, momentum = update->momentum, decay = rate * o->decay;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++) {
        float direction = clamped(o->g[i] * update->clip_coefficient, update->clip_value);
        if (o->m) {
            float m = fathom_fma_reference(momentum, o->m[i], direction);
            o->m[i] = m;
            direction = update->nesterov ? fathom_fma_reference(momentum, m, direction) : m;
        }
        float p = fathom_fma_reference(-decay, o->p[i], o->p[i]);
        o->p[i] = fathom_fma_reference(-rate, direction, p);
    }
}

static void adam(const fathom_optimizer_arguments *o, fathom_range range) {
    const fathom_update *update = o->update;
    float rate = update->learning_rate * update->correction1, decay = update->learning_rate * o->decay;
    float beta1_rest = 1 - update->beta1, beta2 = update->beta2, beta2_rest = 1 - beta2;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++) {
        float g = clamped(o->g[i] * update->clip_coefficient, update->clip_value);
        float m = fathom_fma_reference(beta1_rest, g - o->m[i], o->m[i]);
        float v = fathom_fma_reference(beta2_rest * g, g, beta2 * o->v[i]);
        float p = fathom_fma_reference(-decay, o->p[i], o->p[i]);
        o->m[i] = m;
        o->v[i] = v;
        o->p[i] = p - rate * m / fathom_fma_reference(sqrtf(v), update->correction2, update->epsilon);
    }
}

static void rmsprop(const fathom_optimizer_arguments *o, fathom_range range) {
    const fathom_update *update = o->update;
    float rate = update->learning_rate, decay = rate * o->decay, beta2 = update->beta2, beta2_rest = 1 - beta2;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++) {
        float g = clamped(o->g[i] * update->clip_coefficient, update->clip_value);
        float v = fathom_fma_reference(beta2_rest * g, g, beta2 * o->v[i]);
        float direction = g / (sqrtf(v) + update->epsilon);
        if (o->m) o->m[i] = direction = fathom_fma_reference(update->momentum, o->m[i], direction);
        float p = fathom_fma_reference(-decay, o->p[i], o->p[i]);
        o->v[i] = v;
        o->p[i] = fathom_fma_reference(-rate, direction, p);
    }
}

// A blend of m and g is never larger than the larger of them: no overflow on the way. A NaN has a NaN for a sign.
static void lion(const fathom_optimizer_arguments *o, fathom_range range) {
    const fathom_update *update = o->update;
    float rate = update->learning_rate, decay = rate * o->decay;
    float beta1 = update->beta1, beta1_rest = 1 - beta1, beta2 = update->beta2, beta2_rest = 1 - beta2;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++) {
        float g = clamped(o->g[i] * update->clip_coefficient, update->clip_value);
        float blend = fathom_fma_reference(beta1_rest, g, beta1 * o->m[i]);
        float p = fathom_fma_reference(-decay, o->p[i], o->p[i]);
        o->m[i] = fathom_fma_reference(beta2_rest, g, beta2 * o->m[i]);
        o->p[i] = p - (blend > 0 ? rate : blend < 0 ? -rate : blend);
    }
}

void fathom_sgd_reference(const fathom_arguments *arguments, fathom_range range) { pass(sgd, arguments, range); }
void fathom_adam_reference(const fathom_arguments *arguments, fathom_range range) { pass(adam, arguments, range); }
void fathom_rmsprop_reference(const fathom_arguments *arguments, fathom_range range) { pass(rmsprop, arguments, range); }
void fathom_lion_reference(const fathom_arguments *arguments, fathom_range range) { pass(lion, arguments, range); }

void fathom_moving_average_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moving_average_arguments *m = &arguments->moving_average;
    if (!m->update->finite) return;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++)
        m->average[i] = fathom_fma_reference(m->rate, m->value[i] - m->average[i], m->average[i]);
}
