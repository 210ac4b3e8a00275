// Checks how calls are divided over threads: every part of every grid is in exactly one piece of one thread, every piece is taken exactly once, a chain's rows
// are its threads', and a list gets as many threads as its largest call or chain.
#include "harness.h"

#include "../../../CKernels/core/table.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Calls of every way to divide, of up to some 40 million elements: nothing is computed, so they need no memory.
static fathom_call some_call(generator *g) {
    fathom_call call = {0};
    size_t rows = draw_below(g, draw_one_in(g, 2) ? 40 : 5000), inputs = draw_below(g, 2000), outputs = draw_below(g, draw_one_in(g, 3) ? 40 : 2000);
    static fathom_segment segment;
    static double sums;
    switch (draw_below(g, 7)) {
    case 0:
        call.operation = FATHOM_GEMM_FORWARD;
        call.arguments.gemm_forward = (fathom_gemm_forward_arguments){.rows = rows, .inputs = inputs, .outputs = outputs};
        break;
    case 1:
        call.operation = FATHOM_GEMM_DGRAD;
        call.arguments.gemm_dgrad = (fathom_gemm_dgrad_arguments){.rows = rows, .inputs = inputs, .outputs = outputs, .blocks.sums = draw_one_in(g, 2) ? &sums : NULL, .blocks.rows = draw_one_in(g, 2) ? FATHOM_PANEL : FATHOM_SIGNAL_ROWS};
        break;
    case 2:
        call.operation = FATHOM_GEMM_WGRAD;
        call.arguments.gemm_wgrad = (fathom_gemm_wgrad_arguments){.rows = rows, .inputs = inputs, .outputs = outputs};
        break;
    case 3:
        call.operation = FATHOM_ADAM;
        call.arguments.optimizer = (fathom_optimizer_arguments){.count = FATHOM_PANEL * rows * outputs / 8, .segments = draw_one_in(g, 2) ? &segment : NULL};
        break;
    case 4:
        call.operation = FATHOM_LAYERNORM_BACKWARD;
        call.arguments.layernorm_backward = (fathom_layernorm_backward_arguments){.rows = rows, .columns = outputs, .blocks.sums = draw_one_in(g, 2) ? &sums : NULL, .blocks.rows = FATHOM_PANEL};
        break;
    case 5:
        call.operation = FATHOM_SOFTMAX_CROSS_ENTROPY;
        call.arguments.loss = (fathom_loss_arguments){.rows = rows, .columns = outputs, .blocks.sums = draw_one_in(g, 2) ? &sums : NULL, .blocks.rows = draw_one_in(g, 2) ? FATHOM_PANEL : FATHOM_SIGNAL_ROWS};
        break;
    default:
        call.operation = FATHOM_BATCHNORM_FORWARD;
        call.arguments.batchnorm_forward = (fathom_batchnorm_forward_arguments){.rows = rows, .columns = outputs};
    }
    return call;
}

// Counts how often the pieces of all threads hold each row step of each panel.
static bool covers(const fathom_call *call, int team, char *message) {
    fathom_grid g = fathom_grid_of(call);
    size_t steps = (g.rows + g.row_step - 1) / g.row_step;
    uint8_t *times = calloc(steps * g.panels + 1, 1);
    if (!times) abort();
    const char *wrong = NULL;
    for (int thread = 0; thread < team && !wrong; thread++) {
        fathom_share share = fathom_share_of(call, thread, team);
        for (int i = 0; i < share.pieces && !wrong; i++) {
            fathom_range p = fathom_piece(share, i);
            bool inside = p.row_end <= g.rows && p.panel_end <= g.panels, empty = p.row_begin >= p.row_end || p.panel_begin >= p.panel_end;
            bool whole = p.row_begin % g.row_step == 0 && (p.row_end % g.row_step == 0 || p.row_end == g.rows);
            if (!inside || empty || !whole) wrong = "a piece is empty, beyond the grid or not of whole row steps";
            else
                for (size_t panel = p.panel_begin; panel < p.panel_end; panel++)
                    for (size_t row = p.row_begin; row < p.row_end; row += g.row_step) times[panel * steps + row / g.row_step]++;
        }
    }
    for (size_t i = 0; i < steps * g.panels && !wrong; i++)
        if (times[i] != 1) wrong = times[i] ? "a part of the grid is in two pieces" : "a part of the grid is in no piece";
    free(times);
    if (wrong)
        snprintf(message, KERNEL_CHECK_MESSAGE, "%s over %d threads, %zu rows by %zu, %zu panels: %s", fathom_operation_name(call->operation), team, g.rows,
                 g.row_step, g.panels, wrong);
    return !wrong;
}

// Rows of a chain of states of a random width: in whole blocks of 16, each in the share of one thread, and the largest share at most a third more than the mean.
static bool chain_is_divided(generator *g, int team, char *message) {
    enum { STEPS = 5 };
    fathom_call calls[STEPS];
    size_t rows = draw_below(g, 200), width = 1 + draw_below(g, 200), covered = 0, largest = 0;
    for (int i = 0; i < STEPS; i++)
        calls[i] = (fathom_call){.operation = FATHOM_GEMM_FORWARD, .by_rows = true, .arguments.gemm_forward = {.rows = rows, .inputs = width, .outputs = width}};
    int threads = fathom_chain_threads(calls, STEPS, team), alone = fathom_threads_worth(fathom_grid_of(calls), team);
    if (threads == 0) {
        bool modest = fathom_list_worth(calls, STEPS, team) <= alone;
        if (!modest) snprintf(message, KERNEL_CHECK_MESSAGE, "a chain of %zu rows, %zu wide, is not divided, but %d threads are called", rows, width, fathom_list_worth(calls, STEPS, team));
        return modest;
    }
    bool whole = true;
    for (int thread = 0; thread < team; thread++) {
        fathom_range r = fathom_chain_share(fathom_grid_of(calls), thread, threads);
        if (r.row_begin >= r.row_end) continue;
        whole = whole && r.row_begin == covered && (r.row_end % FATHOM_PANEL == 0 || r.row_end == rows) && r.panel_begin == 0 && r.panel_end == fathom_panels(width);
        if (r.row_end - r.row_begin > largest) largest = r.row_end - r.row_begin;
        covered = r.row_end;
    }
    bool right = threads <= team && whole && covered == rows && 3 * largest * (size_t)threads <= 4 * rows;
    if (!right) snprintf(message, KERNEL_CHECK_MESSAGE, "a chain of %zu rows, %zu wide, over %d of %d threads: rows are left out, twice, or uneven", rows, width, threads, team);
    bool paid = STEPS * fathom_grid_of(calls).flops < 5e5 || fathom_list_worth(calls, STEPS, team) >= threads;
    if (!paid) snprintf(message, KERNEL_CHECK_MESSAGE, "a chain of %zu rows, %zu wide, on %d threads: the list is said to pay for fewer", rows, width, threads);
    return right && paid;
}

// A list pays for as many threads as its largest call, wherever that stands in it, but for none beside the first where it is some 400 kflop or 200 kB in all.
static bool is_worth_its_largest(generator *g, char *message) {
    fathom_call calls[6];
    size_t count = draw_below(g, 7);
    int threads = 1 + (int)draw_below(g, 17), most = 1;
    double work = 0;
    for (size_t i = 0; i < count; i++) {
        calls[i] = some_call(g);
        fathom_grid grid = fathom_grid_of(&calls[i]);
        int worth = fathom_threads_worth(grid, threads);
        if (worth > most) most = worth;
        work += grid.flops / 1e5 > grid.bytes / 5e4 ? grid.flops / 1e5 : grid.bytes / 5e4;
    }
    if (work < 4) most = 1;
    int found = fathom_list_worth(calls, count, threads);
    if (found != most) snprintf(message, KERNEL_CHECK_MESSAGE, "%zu calls on up to %d threads pay for %d, not %d", count, threads, most, found);
    return found == most;
}

enum { TURNS = 20000, PIECES = 7 };

typedef struct rush {
    _Atomic int taken[TURNS][PIECES];
} rush;

// Each thread offers pieces of its own in turn with the others; all take, their owner from the front.
static void rush_for_pieces(void *context, int thread, fathom_team team) {
    rush *r = context;
    for (int turn = 0; turn < TURNS; turn++) {
        int owner = turn % team.threads;
        _Atomic uint64_t *untaken = &team.offers[owner].untaken[turn % FATHOM_OFFERED];
        if (thread == owner) fathom_offer(untaken, PIECES);
        for (int piece; (piece = fathom_take(untaken, thread == owner)) >= 0;) atomic_fetch_add(&r->taken[turn][piece], 1);
        fathom_barrier(team);
    }
}

bool shares_check(uint64_t seed, char message[KERNEL_CHECK_MESSAGE]) {
    generator g = {seed};
    for (int i = 0; i < 3000; i++) {
        fathom_call call = some_call(&g);
        if (!covers(&call, 1 + (int)draw_below(&g, 17), message) || !is_worth_its_largest(&g, message) || !chain_is_divided(&g, 1 + (int)draw_below(&g, 9), message)) return false;
    }
    rush *r = calloc(1, sizeof *r);
    if (!r) abort();
    fathom_parallel(3, rush_for_pieces, r);
    bool once = true;
    for (int turn = 0; turn < TURNS && once; turn++)
        for (int piece = 0; piece < PIECES && once; piece++) once = r->taken[turn][piece] == 1;
    free(r);
    if (!once) snprintf(message, KERNEL_CHECK_MESSAGE, "threads that take pieces at once: one was taken twice, or never");
    return once;
}
