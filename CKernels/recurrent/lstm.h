// One step of a long short-term memory, forward and backward. Operation for operation reference/recurrent.c. The grid is that of one gate:
// an element's four gates lie a gate's panels apart, and everything about it is settled in one visit.

enum { INPUT_GATE, FORGET_GATE, CANDIDATE, OUTPUT_GATE };

static void KERNEL(lstm_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_lstm_arguments *l = &arguments->lstm;
    size_t gate = fathom_panels(l->columns) * l->gates_stride;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, l->columns);
        for (size_t r = range.row_begin; r < range.row_end; r++)
            for (int q = 0; q < VECTORS; q++) {
                size_t at = r * FATHOM_PANEL + (size_t)q * LANES;
                float *gates = l->gates + p * l->gates_stride + at;
                vf i = vf_sigmoid(vf_load(gates + INPUT_GATE * gate)), f = vf_sigmoid(vf_load(gates + FORGET_GATE * gate));
                vf g = vf_tanh(vf_load(gates + CANDIDATE * gate)), o = vf_sigmoid(vf_load(gates + OUTPUT_GATE * gate));
                vf c_before = l->c_before ? vf_load(l->c_before + p * l->c_before_stride + at) : vf_set(0), c = vf_fma(i, g, f * c_before);
                vf_store(gates + INPUT_GATE * gate, i);
                vf_store(gates + FORGET_GATE * gate, f);
                vf_store(gates + CANDIDATE * gate, g);
                vf_store(gates + OUTPUT_GATE * gate, o);
                vf_store(l->c + p * l->c_stride + at, vf_where(live[q], c));
                vf_store(l->h + p * l->h_stride + at, vf_where(live[q], o * vf_tanh(c)));
            }
    }
}

static void KERNEL(lstm_backward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_lstm_arguments *l = &arguments->lstm;
    size_t gate = fathom_panels(l->columns) * l->gates_stride, dgate = fathom_panels(l->columns) * l->dgates_stride;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, l->columns);
        for (size_t r = range.row_begin; r < range.row_end; r++)
            UNROLL for (int q = 0; q < VECTORS; q++) {
                size_t at = r * FATHOM_PANEL + (size_t)q * LANES;
                const float *gates = l->gates + p * l->gates_stride + at;
                float *dgates = l->dgates + p * l->dgates_stride + at, *dc = l->dc + p * l->dc_stride + at;
                vf i = vf_load(gates + INPUT_GATE * gate), f = vf_load(gates + FORGET_GATE * gate);
                vf g = vf_load(gates + CANDIDATE * gate), o = vf_load(gates + OUTPUT_GATE * gate);
                vf c_before = l->c_before ? vf_load(l->c_before + p * l->c_before_stride + at) : vf_set(0);
                vf dh = vf_load(l->dh + p * l->dh_stride + at), t = vf_tanh(vf_load(l->c + p * l->c_stride + at));
                vf d = vf_fma(dh * o, tanh_slope(t), l->last ? vf_set(0) : vf_load(dc));
                vf_store(dgates + INPUT_GATE * dgate, vf_where(live[q], d * g * sigmoid_slope(i)));
                vf_store(dgates + FORGET_GATE * dgate, vf_where(live[q], d * c_before * sigmoid_slope(f)));
                vf_store(dgates + CANDIDATE * dgate, vf_where(live[q], d * i * tanh_slope(g)));
                vf_store(dgates + OUTPUT_GATE * dgate, vf_where(live[q], dh * t * sigmoid_slope(o)));
                vf_store(dc, vf_where(live[q], d * f));
            }
    }
}
