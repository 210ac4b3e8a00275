"""Commands that take turns in slices: all are alive at once, one runs at a time, and the others are stopped; so all meet the same mix of the machine's speeds."""
import os
import random
import select
import signal
import subprocess
import sys
import time
from array import array
from math import sqrt
from statistics import mean, median, stdev
from zipfile import ZipFile

POSSIBLE = hasattr(os, "pidfd_open")  # Linux


class Sliced:
    """A command that runs while told to. `seconds` is how long it did, `cpu_seconds` None until it has ended."""

    def __init__(self, command):
        self.command, self.process, self.seconds, self.cpu_seconds = command, None, 0, None

    def slice(self, seconds):
        """Runs for so long, or to the end."""
        begin = time.perf_counter()
        if self.process:
            os.kill(self.process.pid, signal.SIGCONT)
        else:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.ending = os.pidfd_open(self.process.pid)
        ended = select.select([self.ending], [], [], seconds)[0]
        if not ended:
            os.kill(self.process.pid, signal.SIGSTOP)
        self.seconds += time.perf_counter() - begin
        if ended:
            self.end()

    def end(self):
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode, self.cpu_seconds = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        os.close(self.ending)
        with self.process.stderr as errors:
            if self.process.returncode:
                sys.exit(f"{' '.join(self.command[:2])}: {errors.read().decode(errors='replace').strip() or f'status {self.process.returncode}'}")

    def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
            self.process.wait()


def in_slices(commands, seconds):
    """Runs all to their end in slices of `seconds`, in a new random order each time around; gives them with their times. None outlives it."""
    runs = [Sliced(command) for command in commands]
    try:
        while alive := [run for run in runs if run.cpu_seconds is None]:
            for run in random.sample(alive, len(alive)):
                run.slice(seconds)
    finally:
        for run in runs:
            run.kill()
    return runs


def cost(turns):
    """Of turns' seconds, {"none": [a, b], "default": [a, b]}: the median without instruments, and in per cent of it, with its standard error,
    what instruments cost, and by how much two without them differ."""
    def change(ratios):
        error = 100 * stdev(ratios) / sqrt(len(ratios)) if len(ratios) > 1 else None
        return [100 * (mean(ratios) - 1), error]

    return {
        "seconds": median(s for turn in turns for s in turn["none"]), "cost": change([mean(turn["default"]) / mean(turn["none"]) for turn in turns]),
        "noise": change([turn["none"][1] / turn["none"][0] for turn in turns]),
    }


def signed(change):
    value, error = change
    return f"{value:+.2f} %" if error is None else f"{value:+.2f} ± {error:.2f} %"


def normal_rows(path, rows, columns, targets=0):
    """An .npz of standard normal rows with so many standard normal targets, or labelled 0 to 9 in turn; this program does without NumPy."""
    def normal(columns):
        return "<f4", (rows, columns), array("f", (random.gauss(0, 1) for _ in range(rows * columns)))

    y = normal(targets) if targets else ("<i8", (rows,), array("q", (row % 10 for row in range(rows))))
    with ZipFile(path, "w") as file:
        for name, (kind, shape, values) in (("x", normal(columns)), ("y", y)):
            header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
            file.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values.tobytes())
