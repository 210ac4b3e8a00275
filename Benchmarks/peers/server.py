"""The protocol that every server of steps speaks, ours included.

It builds, warms up and prints READY; then for each line `go` on standard input it measures for --seconds and prints one JSON line with
`ms` (the median of its samples), `samples_s`, `threads`, `gflops`. Anything else ends it.
"""
import argparse
import json
import os
import sys
import time

from workload import Workload


def options(variants):
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", help="a recipe of workloads/")
    parser.add_argument("--variant", choices=variants, default=variants[0])
    parser.add_argument("--start", required=True, help="the model file to start from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--losses", type=int, help="print the losses of so many steps from the start, and end")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    return chosen, Workload(chosen.workload)


def samples(run, calls, steps_per_call, seconds):
    """Seconds of a step, each taken over `calls` calls; at least five."""
    found, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < 5:
        begin = time.perf_counter()
        run(calls)
        found.append((time.perf_counter() - begin) / calls / steps_per_call)
    return sorted(found)


def serve(chosen, workload, run, steps_per_call=1):
    """`run(calls)` takes calls·steps_per_call steps, waits for them, and gives the losses of the last call."""
    if chosen.losses:
        losses = []
        while len(losses) < chosen.losses:
            losses += run(1)
        print(json.dumps({"losses": losses[:chosen.losses]}))
        return
    run(1)  # compiles
    run(2)
    begin = time.perf_counter()
    run(2)
    once = (time.perf_counter() - begin) / 2
    calls = max(1, min(1000, round(0.02 / once)))  # a sample of 20 ms: clocks and waiting for the last step cost nothing beside it
    samples(run, calls, steps_per_call, min(1.0, chosen.seconds))
    print("READY", flush=True)
    for line in sys.stdin:
        if line.strip() != "go":
            break
        times = samples(run, calls, steps_per_call, chosen.seconds)
        median = times[len(times) // 2]
        print(json.dumps({
            "ms": median * 1e3, "samples_s": workload.batch / median, "threads": chosen.threads, "gflops": workload.flops() / median * 1e-9,
        }), flush=True)
