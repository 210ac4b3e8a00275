"""Measurements, one JSON object a line, appended as they are made: what was interrupted goes on, and reports are made from them alone."""
import json
import os
import sys
import time

from environment import machine

NAME = "measurements.jsonl"


class Record:
    """A session: the machine and the command first, then measurements that carry its number."""

    def __init__(self, options, part):
        os.makedirs(options.output, exist_ok=True)
        self.path, self.part = f"{options.output}/{NAME}", part
        self.session = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{part}"
        command = "Benchmarks/run " + " ".join(sys.argv[1:])
        self.write({"event": "session", "session": self.session, "part": part, "command": command, "threads": options.threads, "date": time.strftime("%Y-%m-%d")}
                   | machine())

    def __call__(self, **measurement):
        self.write({"session": self.session, "part": self.part} | measurement)

    def write(self, values):
        with open(self.path, "a") as file:
            file.write(json.dumps(values) + "\n")


def read(folder):
    """All measurements; a last line that an interruption tore is left out."""
    found = []
    if os.path.exists(f"{folder}/{NAME}"):
        with open(f"{folder}/{NAME}") as file:
            for line in file:
                try:
                    found.append(json.loads(line))
                except json.JSONDecodeError:
                    continue
    return found


def finished(folder, part, **labels):
    """Whether a measurement of this kind was brought to its end in some session."""
    wanted = {"part": part, "event": "finished"} | labels
    return any(all(line.get(key) == value for key, value in wanted.items()) for line in read(folder))
