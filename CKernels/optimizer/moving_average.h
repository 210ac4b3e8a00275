// Moving averages of weights and statistics, 16 elements a time. Operation for operation reference/optimizer.c.

static void KERNEL(moving_average)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_moving_average_arguments *m = &arguments->moving_average;
    if (!m->update->finite) return;
    float *restrict average = m->average;
    const float *restrict value = m->value;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i += LANES) {
        vf old = vf_load(average + i);
        vf_store(average + i, vf_fma(vf_set(m->rate), vf_load(value + i) - old, old));
    }
}
