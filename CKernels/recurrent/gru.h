// One step of a gated recurrent unit, forward and backward. Operation for operation reference/recurrent.c. The grid is that of one slot, as in
// recurrent/lstm.h.

enum { RESET_GATE, UPDATE_GATE, HIDDEN_PART, NEW_PART };

static void KERNEL(gru_forward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gru_arguments *g = &arguments->gru;
    size_t slot = fathom_panels(g->columns) * g->slots_stride;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, g->columns);
        for (size_t row = range.row_begin; row < range.row_end; row++)
            for (int q = 0; q < VECTORS; q++) {
                size_t at = row * FATHOM_PANEL + (size_t)q * LANES;
                float *slots = g->slots + p * g->slots_stride + at;
                vf r = vf_sigmoid(vf_load(slots + RESET_GATE * slot)), z = vf_sigmoid(vf_load(slots + UPDATE_GATE * slot));
                vf n = vf_tanh(vf_fma(r, vf_load(slots + HIDDEN_PART * slot), vf_load(slots + NEW_PART * slot)));
                vf h_before = g->h_before ? vf_load(g->h_before + p * g->h_before_stride + at) : vf_set(0);
                vf_store(slots + RESET_GATE * slot, r);
                vf_store(slots + UPDATE_GATE * slot, z);
                vf_store(slots + NEW_PART * slot, n);
                vf_store(g->h + p * g->h_stride + at, vf_where(live[q], vf_fma(z, h_before - n, n)));
            }
    }
}

static void KERNEL(gru_backward)(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gru_arguments *g = &arguments->gru;
    size_t slot = fathom_panels(g->columns) * g->slots_stride, dslot = fathom_panels(g->columns) * g->dslots_stride;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        vi live[VECTORS];
        vi_live(live, p, g->columns);
        for (size_t row = range.row_begin; row < range.row_end; row++)
            UNROLL for (int q = 0; q < VECTORS; q++) {
                size_t at = row * FATHOM_PANEL + (size_t)q * LANES;
                const float *slots = g->slots + p * g->slots_stride + at;
                float *dslots = g->dslots + p * g->dslots_stride + at;
                vf r = vf_load(slots + RESET_GATE * slot), z = vf_load(slots + UPDATE_GATE * slot);
                vf m = vf_load(slots + HIDDEN_PART * slot), n = vf_load(slots + NEW_PART * slot);
                vf h_before = g->h_before ? vf_load(g->h_before + p * g->h_before_stride + at) : vf_set(0);
                vf dh = vf_load(g->dh + p * g->dh_stride + at), dn = dh * (1 - z) * tanh_slope(n);
                vf_store(dslots + RESET_GATE * dslot, vf_where(live[q], dn * m * sigmoid_slope(r)));
                vf_store(dslots + UPDATE_GATE * dslot, vf_where(live[q], dh * (h_before - n) * sigmoid_slope(z)));
                vf_store(dslots + HIDDEN_PART * dslot, vf_where(live[q], dn * r));
                vf_store(dslots + NEW_PART * dslot, vf_where(live[q], dn));
                if (!g->dh_before) continue;
                float *dh_before = g->dh_before + p * g->dh_before_stride + at;
                vf_store(dh_before, vf_where(live[q], vf_fma(dh, z, vf_load(dh_before))));
            }
    }
}
