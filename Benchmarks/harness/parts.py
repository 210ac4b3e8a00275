"""What is measured: steps, products, whole processes, steps beside a busy core, instruments; and the check that all peers do the same work."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from environment import BENCHMARKS, FASHION_MNIST, HOME, build, has, packages, python, say
from record import Record, finished
from servers import Peer, Team, environment
from slices import POSSIBLE, cost, in_slices, normal_rows, signed

# Key of a step's peer: environment, module that it needs, program, variant.
STEPS = {
    "pytorch": ("main", "torch", "pytorch.py", "eager"),
    "pytorch-compiled": ("main", "torch", "pytorch.py", "compiled"),
    "jax": ("main", "jax", "jax_steps.py", "jit"),
    "jax-scan": ("main", "jax", "jax_steps.py", "scan"),
    "tensorflow-xla": ("tensorflow", "tensorflow", "tensorflow_steps.py", "xla"),
}
FATHOM = ("fathom", "fathom-1")  # on all threads, and on one


def recipe(workload):
    return f"{BENCHMARKS}/workloads/{workload}.yaml"


def inputs(workload):
    with open(recipe(workload)) as file:
        return int(next(line for line in file if line.startswith("# inputs:")).split(":")[1])


def start(workload, folder):
    """Our initial model and the batches as a data set: what every peer starts from. Gives both paths."""
    data, run = f"{folder}/{workload}.npz", f"{folder}/{workload}"
    subprocess.run([python("main"), f"{BENCHMARKS}/peers/workload.py", recipe(workload), data], check=True)
    train(workload, data, run, "--steps", "0")
    return f"{run}/model.safetensors", data


def train(workload, data, run, *flags):
    """Our training on the batches in their order; gives standard output."""
    command = [build("fathom"), "train", recipe(workload), "--data", data, "--output", run, "--quiet", "--json"]
    command += ["--test", "0", "--shuffle", "false", "--standardize", "none", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"fathom train: {done.stderr.strip()}")
    return done.stdout


def step_command(key, workload, model):
    environment, _, program, variant = STEPS[key]
    return [python(environment), f"{BENCHMARKS}/peers/{program}", recipe(workload), "--variant", variant, "--start", model]


def step_peers(keys, workload, model, threads, seconds, record, adapt=False):
    """What is asked for and installed, as servers to be started. With `adapt` Fathom chooses its threads, as a training does."""
    found = []
    for key in keys:
        if key in FATHOM:
            own = 1 if key == "fathom-1" else threads
            command = [build("fathom-profiler"), "step", recipe(workload), "--inputs", str(inputs(workload)), "--instruments", "none", "--serve"]
            if adapt and key == "fathom":
                command.append("--adapt")
        else:
            own = threads
            if not has(*STEPS[key][:2]):
                record(workload=workload, peer=key, threads=threads, skipped="not installed")
                continue
            command = step_command(key, workload, model)
        found.append(Peer(key, command + ["--threads", str(own), "--seconds", str(seconds)], own,
                          {"TORCHINDUCTOR_CACHE_DIR": f"{HOME}/inductor"}))
    return found


def peak(threads):
    return Peer("machine", [f"{HOME}/bin/peak", "--threads", str(threads), "--seconds", "0.1"], threads)


# MARK: Steps


def steps(options):
    keys = options.peers or [*FATHOM, *STEPS]
    if options.threads == 1 and "fathom" in keys:
        keys = [key for key in keys if key != "fathom-1"]
    for team, note in teams(options, "steps", options.workloads, keys, [peak(options.threads)]):
        note(idle_share=team.idle_share())
        for number in range(options.rounds):
            say(f"    round {number + 1} of {options.rounds}")
            team.round(number)


def teams(options, part, workloads, keys, others=(), pinned=True, adapt=False):
    """Of each workload that is not measured yet, its servers, with `others` before them, and what records a measurement of it."""
    missing = [w for w in workloads if options.again or not finished(options.output, part, workload=w)]
    there = [w for w in workloads if w not in missing]
    if there:
        say(f"measured already: {', '.join(there)} (--again measures anew)")
    if not missing:
        return
    record = Record(options, part)
    with tempfile.TemporaryDirectory() as folder:
        for workload in missing:
            say(f"{workload}: starting and warming up")
            model, _ = start(workload, folder)

            def note(**measurement):
                record(**(measurement | {"workload": workload}))

            peers = [*others, *step_peers(keys, workload, model, options.threads, options.seconds, record, adapt)]
            with Team(peers, note, timeout=600, pinned=pinned) as team:
                yield team, note
            note(event="finished", rounds=options.rounds)


# MARK: Products

PRODUCTS = ("fathom", "openblas", "openblas-numpy", "blis", "mkl", "mkl-as-on-intel", "onednn2", "onednn3", "libxsmm")


def product_peers(threads, seconds):
    """Every BLAS that is installed, by key."""
    cblas, lib = f"{HOME}/bin/cblas", f"{HOME}/main/lib"
    mkl = {"LD_LIBRARY_PATH": lib, "MKL_THREADING_LAYER": "GNU", "MKL_INTERFACE_LAYER": "LP64"}

    def first(pattern):
        return next(iter(sorted(glob.glob(pattern))), "none")

    commands = {
        "openblas": ([cblas, "--library", "libopenblas.so.0"], {}),
        "openblas-numpy": (
            [cblas, "--library", first(packages("main") + "/numpy.libs/libscipy_openblas64_*"), "--symbol", "scipy_cblas_sgemm64_"], {}),
        "blis": ([cblas, "--library", "libblis.so.4"], {}),
        "mkl": ([cblas, "--library", first(f"{lib}/libmkl_rt.so*")], mkl),
        "mkl-as-on-intel": ([cblas, "--library", first(f"{lib}/libmkl_rt.so*")], mkl | {"LD_PRELOAD": f"{HOME}/bin/intel.so"}),
        "onednn2": ([f"{HOME}/bin/onednn2"], {}),
        "onednn3": ([f"{HOME}/bin/onednn3"], {}),
        "libxsmm": ([f"{HOME}/bin/libxsmm"], {}),
    }
    # LLVM's and Intel's OpenMP threads would spin for 200 ms after their last work, into the turn of the next.
    short = {"KMP_BLOCKTIME": "20"}
    flags = ["--threads", str(threads), "--seconds", str(seconds)]
    peers = {key: Peer(key, command + flags, threads, short | extra) for key, (command, extra) in commands.items()}
    return {"fathom": Peer("fathom", [build("fathom-products", BENCHMARKS)] + flags, threads, short)} | peers


def shapes():
    with open(f"{BENCHMARKS}/shapes.txt") as file:
        return [" ".join(line.split()) for line in file if line.strip() and not line.startswith("#")]


def products(options):
    for threads in sorted({1, options.threads}):
        if not options.again and finished(options.output, "products", threads=threads):
            say(f"measured already: products on {threads} threads (--again measures anew)")
            continue
        record = Record(options, "products")
        say(f"products on {threads} thread{'s' * (threads > 1)}")
        peers = [p for key, p in product_peers(threads, options.product_seconds).items() if not options.peers or key in options.peers]
        with Team([peak(threads)], record, pause=0.06) as limit, Team(peers, record, pause=0.06) as team:
            record(idle_share=team.idle_share(), threads=threads)
            for number in range(options.rounds):
                say(f"    round {number + 1} of {options.rounds}")
                for shape in shapes():
                    limit.round(number, shape=shape)
                    for orientation in ("forward", "dgrad", "wgrad"):
                        team.round(number, f"go {orientation} {shape}", shape=shape, orientation=orientation)
        record(event="finished", threads=threads, rounds=options.rounds)


# MARK: Whole processes


def processes(options):
    """W1 for five epochs of Fashion-MNIST: time and memory. W4 for forty steps: memory."""
    need_fashion_mnist()
    record = None
    for workload, length in (("W1", ["--epochs", "5"]), ("W4", ["--steps", "40"])):
        if workload not in options.workloads:
            continue
        if not options.again and finished(options.output, "processes", workload=workload):
            say(f"measured already: the processes of {workload} (--again measures anew)")
            continue
        record = record or Record(options, "processes")
        for number in range(options.rounds):
            for key, command in process_commands(workload, length, options):
                with tempfile.TemporaryDirectory() as folder:
                    measured = whole_process(Peer(key, command + [f"{folder}/run"], options.threads))
                say(f"    {workload} round {number + 1}: {key}: {measured}")
                record(workload=workload, peer=key, round=number, threads=options.threads, length=" ".join(length), **measured)
        record(event="finished", workload=workload, rounds=options.rounds)


def need_fashion_mnist():
    if not os.path.isdir(FASHION_MNIST):
        sys.exit(f"there is no {FASHION_MNIST} (Debian's dataset-fashion-mnist; 'Benchmarks/run setup' installs it)")


def process_commands(workload, length, options):
    flags = ["--data", FASHION_MNIST] + length + ["--threads", str(options.threads)]
    ours = [build("fathom"), "train", recipe(workload), "--optimizer", "adamw(0.001)", "--quiet", *flags, "--output"]
    commands = [("fathom", ours)]
    for key, module in (("pytorch", "torch"), ("jax", "jax")):
        if has("main", module):
            commands.append((key, [python("main"), f"{BENCHMARKS}/peers/train.py", key, recipe(workload), *flags, "--output"]))
    return [pair for pair in commands if not options.peers or pair[0] in options.peers]


def whole_process(peer):
    """Wall and processor time and the largest resident memory of one run of a command, as the kernel counts them."""
    begin = time.monotonic()
    process = subprocess.Popen(peer.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(peer))
    output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode, process.stdout = os.waitstatus_to_exitcode(status), process.stdout.close()
    seconds = time.monotonic() - begin
    if process.returncode:
        return {"skipped": (output.strip().splitlines() or [f"status {process.returncode}"])[-1][:300]}
    accuracy = re.search(r"test accuracy:? +([\d.]+)", output)
    # Kilobytes on Linux, bytes on macOS. No less than this small process had when it started the other.
    mebibytes = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"seconds": round(seconds, 3), "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3), "peak_mib": round(mebibytes, 1),
            "accuracy": float(accuracy[1]) if accuracy else None}


# MARK: Beside a busy core


def busy(options):
    """Steps on a quiet machine, then while another process keeps one core busy."""
    keys = options.peers or [*FATHOM, "pytorch", "jax-scan"]
    workloads = [w for w in options.workloads if w in ("W1", "W2", "W5")]
    # As a user's own would be: where the scheduler puts them, not pinned, and Fathom on as many threads as turn out faster.
    for team, _ in teams(options, "busy", workloads, keys, pinned=False, adapt=True):
        for number in range(options.rounds):
            say(f"    round {number + 1} of {options.rounds}: quiet, then beside a busy core")
            team.round(number, cores="quiet")
            with BusyCore():
                team.round(number, cores="one busy")


class BusyCore:
    """A process that does nothing but count, held to the last core."""

    def __enter__(self):
        hold = (lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})) if hasattr(os, "sched_getaffinity") else None
        # It ends by itself should this process be killed.
        code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(10**6): pass"
        self.process = subprocess.Popen([sys.executable, "-c", code], preexec_fn=hold)
        time.sleep(0.3)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


# MARK: Instruments

# How long each trains, and in slices of how many seconds: of many steps each, since `fathom train` times these to choose its threads.
INSTRUMENTED = {
    "W1": (["--epochs", "5", "--optimizer", "adamw(0.001)"], 0.1), "W2": (["--epochs", "5"], 0.1), "W3": (["--steps", "100"], 2), "W4": (["--steps", "100"], 2),
    "W5": (["--epochs", "400"], 0.05), "W7": (["--epochs", "5"], 0.1),
}


def instruments(options):
    """Whole trainings without instruments and with those that are on by default, two of each at once, in slices."""
    if not POSSIBLE:
        return say("what instruments cost is not measured: that needs Linux")
    record = None
    for workload in [w for w in options.workloads if w in INSTRUMENTED]:
        if not options.again and finished(options.output, "instruments", workload=workload):
            say(f"measured already: the instruments of {workload} (--again measures anew)")
            continue
        record, turns = record or Record(options, "instruments"), []
        with tempfile.TemporaryDirectory() as folder:
            data = FASHION_MNIST
            if workload in ("W3", "W5"):  # whose inputs are no images
                data = f"{folder}/{workload}.npz"
                rows, targets = (4096, 0) if workload == "W3" else (64000, 2)
                normal_rows(data, rows, inputs(workload), targets)
            else:
                need_fashion_mnist()
            for number in range(options.rounds):
                say(f"    {workload} round {number + 1} of {options.rounds}")
                measured = instrumented(workload, data, options)
                turns.append(measured["seconds"])
                record(workload=workload, round=number, threads=options.threads, length=" ".join(INSTRUMENTED[workload][0]), **measured)
        record(event="finished", workload=workload, rounds=options.rounds)
        found = cost(turns)
        print(f"{workload}: {found['seconds']:.2f} s without instruments; they cost {signed(found['cost'])}; two without differ by {signed(found['noise'])}", flush=True)


def instrumented(workload, data, options):
    """One turn: wall and processor time of two trainings without instruments, and of two with."""
    length, seconds = INSTRUMENTED[workload]
    command = [build("fathom"), "train", recipe(workload), "--data", data, *length, "--threads", str(options.threads), "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        runs = in_slices([[*command, *flags, "--output", f"{folder}/{n}"] for n, flags in enumerate([["--instruments", "none"]] * 2 + [[]] * 2)], seconds)
    return {
        name: {kind: [round(getattr(run, name), 4) for run in own] for kind, own in (("none", runs[:2]), ("default", runs[2:]))}
        for name in ("seconds", "cpu_seconds")
    }


# MARK: The same work


def check(options):
    """Losses of all peers from one start, against ours; exits with 1 where one differs by more than TOLERANCE."""
    record, failed = Record(options, "check"), False
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads:
            model, data = start(workload, folder)
            events = map(json.loads, train(workload, data, f"{folder}/{workload}-losses", "--steps", "16").splitlines())
            ours = [event["loss"] for event in events if event["event"] == "step"]
            for key in options.peers or STEPS:
                if key in STEPS:
                    failed |= not same_losses(record, workload, key, model, ours, options.threads)
    if failed:
        sys.exit(1)


# Sixteen steps at a learning rate of 1e-5 leave little room for rounding to grow: seen was 1.1e-5 at most, in W4, and below 2e-6 elsewhere. A peer that does not clip
# is off by 3.7e-5 (W2) to 2.6e-2 (W7), one whose β₂ is 0.99 by 5.5e-5 (W6).
TOLERANCE = 2e-5


def same_losses(record, workload, key, model, ours, threads):
    if not has(*STEPS[key][:2]):
        print(f"skipped  {workload} {key}: not installed", flush=True)
        return True
    command = step_command(key, workload, model) + ["--threads", str(threads), "--losses", str(len(ours))]
    peer = Peer(key, command, threads, {"TORCHINDUCTOR_CACHE_DIR": f"{HOME}/inductor"})
    done = subprocess.run(peer.command, capture_output=True, text=True, env=environment(peer))
    try:
        theirs = json.loads(done.stdout.strip().splitlines()[-1])["losses"]
    except (IndexError, ValueError):
        print(f"FAILED   {workload} {key}: {(done.stderr.strip().splitlines() or ['no losses'])[-1]}", flush=True)
        return False
    difference = max(abs(a - b) / abs(a) for a, b in zip(ours, theirs, strict=True))
    record(workload=workload, peer=key, steps=len(ours), difference=difference)
    same = difference <= TOLERANCE
    print(f"{'ok' if same else 'FAILED':8} {workload} {key}: {len(ours)} losses within {difference:.1e}", flush=True)
    return same
