"""Processes that measure on request, in turn, while the others sleep."""
import json
import os
import select
import subprocess
import time
from collections import namedtuple

from environment import LOGS, say

# What a server is started with. `key` names its place in the results, `threads` what it is given.
Peer = namedtuple("Peer", "key command threads environment", defaults=({},))

# Some systems choose OpenBLAS's kernels for everybody; a peer shall choose its own.
FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def environment(peer):
    variables = {name: value for name, value in os.environ.items() if name not in FORCED}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"):
        variables[name] = str(peer.threads)
    variables["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return variables | peer.environment


def pin(threads):
    """A function that holds a new process to as many cores as it has threads, so that no library takes more."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return (lambda: os.sched_setaffinity(0, cores[:threads])) if threads < len(cores) else None


class Failed(Exception):
    pass


class Server:
    """Started, and READY when made. Its standard error is in LOGS."""

    def __init__(self, peer, timeout, pinned=True):
        os.makedirs(LOGS, exist_ok=True)
        self.peer, self.log, self.rest = peer, f"{LOGS}/{peer.key}.log", b""
        with open(self.log, "w") as log:
            try:
                self.process = subprocess.Popen(
                    peer.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0, env=environment(peer),
                    preexec_fn=pin(peer.threads) if pinned else None)
            except OSError as error:
                raise Failed(str(error)) from None
        try:
            while self.line(timeout) != "READY":
                pass
        except BaseException:
            self.end()
            raise

    def line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed(f"no answer in {timeout:.0f} s")
            read = os.read(self.process.stdout.fileno(), 65536)
            if not read:
                raise Failed(self.last_words())
            self.rest += read
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").strip()

    def last_words(self):
        lines = [line.strip() for line in open(self.log, errors="replace") if line.strip()]
        return lines[-1][:300] if lines else f"ended with status {self.process.wait()}"

    def ask(self, request="go", timeout=120):
        """One measurement."""
        try:
            self.process.stdin.write(request.encode() + b"\n")
        except OSError:
            raise Failed(self.last_words()) from None
        return json.loads(self.line(timeout))

    def end(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.write(b"end\n")
                self.process.stdin.close()
                self.process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Team:
    """Servers that take turns. A server that fails is left out from then on, and `record` told so."""

    def __init__(self, peers, record, timeout=120, pause=0.25, pinned=True):
        self.servers, self.record, self.pause, self.timeout = [], record, pause, timeout
        for peer in peers:
            begin = time.monotonic()
            try:
                self.servers.append(Server(peer, timeout, pinned))
                say(f"    {peer.key}: ready after {time.monotonic() - begin:.0f} s")
            except Failed as failure:
                self.leave_out(peer, failure)

    def leave_out(self, peer, failure):
        say(f"    {peer.key} is left out: {failure}")
        self.record(peer=peer.key, threads=peer.threads, skipped=str(failure))

    def round(self, number, request="go", **labels):
        """Each server measures once, another first in each round. The pause lets the threads of the one before fall asleep."""
        turn = number % max(1, len(self.servers))
        for server in self.servers[turn:] + self.servers[:turn]:
            time.sleep(self.pause)
            try:
                answer = server.ask(request, self.timeout)
            except (Failed, json.JSONDecodeError) as failure:
                server.end()
                self.servers.remove(server)
                self.leave_out(server.peer, failure)
                continue
            answer.pop("event", None)
            self.record(**(answer | {"peer": server.peer.key, "round": number} | labels))

    def idle_share(self, seconds=0.5):
        """Processor time that the sleeping servers take together, as a share of one core; None where that cannot be known."""
        def used():
            return sum(cpu_seconds(server.process.pid) for server in self.servers)

        try:
            time.sleep(self.pause)
            before = used()
            time.sleep(seconds)
            return round((used() - before) / seconds, 3)
        except (OSError, ValueError):
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.end()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
