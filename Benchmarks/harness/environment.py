"""What the peers need: Python packages in two environments of their own, BLAS libraries, and the C programs of products/.

Everything lies in ~/.cache/fathom-benchmarks, or where FATHOM_BENCHMARKS says. What cannot be installed is left out, and said so.
"""
import functools
import glob
import os
import platform
import re
import shutil
import subprocess
import sys

BENCHMARKS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCHMARKS)
HOME = os.environ.get("FATHOM_BENCHMARKS") or os.path.expanduser("~/.cache/fathom-benchmarks")
LOGS = f"{HOME}/logs"
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"

# TensorFlow and JAX ask for different versions of what they share, so it has an environment of its own.
ENVIRONMENTS = {
    "main": ["numpy", "jax", "matplotlib", "mkl", "onednn-cpu-gomp", "onednn-devel-cpu-gomp"],
    "tensorflow": ["tensorflow-cpu"],
}
DEBIAN = ["libopenblas-dev", "libblis-dev", "libdnnl-dev", "libxsmm-dev", "dataset-fashion-mnist"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def python(environment):
    return f"{HOME}/{environment}/bin/python"


def has(environment, module):
    """Whether the environment has the module; nothing is imported."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return os.path.exists(python(environment)) and subprocess.run([python(environment), "-c", code]).returncode == 0


def packages(environment):
    """Site-packages of an environment."""
    return (glob.glob(f"{HOME}/{environment}/lib/python3*/site-packages") or [""])[0]


# MARK: Installing


def attempt(what, command, log="setup.log"):
    os.makedirs(LOGS, exist_ok=True)
    with open(f"{LOGS}/{log}", "a") as file:
        file.write(f"\n$ {' '.join(command)}\n")
        file.flush()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT).returncode == 0
    if not done:
        say(f"could not {what}; {LOGS}/{log} says why")
    return done


def install_torch():
    """The build without CUDA where there is one: from an index that pip knows, else from PyTorch's own."""
    pip = [python("main"), "-m", "pip"]
    known = subprocess.run(pip + ["index", "versions", "torch"], capture_output=True, text=True).stdout
    version = re.search(r"[\d.]+\+cpu", known)
    if version and attempt("install torch", pip + ["install", f"torch=={version[0]}"]):
        return
    own = ["--index-url", "https://download.pytorch.org/whl/cpu", "--timeout", "10", "--retries", "1"]
    if not attempt("find torch without CUDA", pip + ["install", "torch"] + own):
        attempt("install torch", pip + ["install", "torch"])


def install_python():
    for environment, wanted in ENVIRONMENTS.items():
        if not os.path.exists(python(environment)):
            say(f"making {HOME}/{environment}")
            if not attempt("make a Python environment", [sys.executable, "-m", "venv", f"{HOME}/{environment}"]):
                continue
        if environment == "main" and not has("main", "torch"):
            say("installing torch")
            install_torch()
        record = f"{HOME}/{environment}/installed"
        for package in wanted:
            installed = open(record).read().split() if os.path.exists(record) else []
            if package in installed:
                continue
            say(f"installing {package}")
            if attempt(f"install {package}", [python(environment), "-m", "pip", "install", package]):
                with open(record, "a") as file:
                    file.write(package + "\n")


def install_debian():
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        return
    for package in DEBIAN:
        status = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package], capture_output=True, text=True).stdout
        if status != "installed":
            say(f"installing {package}")
            privilege = [] if os.geteuid() == 0 else ["sudo", "-n"]
            attempt(f"install {package}", privilege + ["apt-get", "install", "-y", "--no-install-recommends", package])


def compiler():
    return next((c for c in ("clang", "gcc", "cc") if shutil.which(c)), "cc")


def compile_peers():
    """The C programs of products/ that are not ours, each into HOME/bin, anew where the source is newer."""
    source, target = f"{BENCHMARKS}/products", f"{HOME}/bin"
    shared = f"{source}/product.c"
    os.makedirs(target, exist_ok=True)
    # gcc for those that use OpenMP: the libraries were built with its runtime.
    programs = {
        "peak": [compiler(), "-O3", "-march=native", f"{source}/peak.c", "-lm", "-lpthread"],
        "cblas": [compiler(), "-O2", f"{source}/cblas.c", shared, "-ldl", "-lm"],
        "onednn2": ["gcc", "-O2", "-fopenmp", f"{source}/onednn.c", shared, "-ldnnl", "-lm"],
        "libxsmm": ["gcc", "-O2", "-fopenmp", f"{source}/libxsmm.c", shared, "-lxsmm", "-lxsmmnoblas", "-ldl", "-lm", "-lpthread"],
        "intel.so": [compiler(), "-O2", "-shared", "-fPIC", f"{source}/intel.c"],
    }
    onednn3 = next(iter(glob.glob(f"{HOME}/main/**/libdnnl.so.3", recursive=True)), None)
    include = next(iter(glob.glob(f"{HOME}/main/**/oneapi/dnnl/dnnl.h", recursive=True)), None)
    if onednn3 and include:
        flags = ["-I", include.removesuffix("/oneapi/dnnl/dnnl.h"), onednn3, f"-Wl,-rpath,{os.path.dirname(onednn3)}", "-lm"]
        programs["onednn3"] = ["gcc", "-O2", "-fopenmp", f"{source}/onednn.c", shared] + flags
    newest = max(os.path.getmtime(f"{source}/{name}") for name in os.listdir(source))
    for name, command in programs.items():
        built = f"{target}/{name}"
        if not os.path.exists(built) or os.path.getmtime(built) < newest:
            attempt(f"compile {name}", command + ["-o", built])


def set_up():
    install_debian()
    install_python()
    compile_peers()


# MARK: Our programs


@functools.cache
def build(product, package=ROOT):
    """Builds a product of a package for release and gives its path; FATHOM_BIN_PATH names a folder that has all of them already."""
    ready = os.environ.get("FATHOM_BIN_PATH")
    if ready:
        return f"{ready}/{product}"
    command = ["swift", "build", "-c", "release", "--package-path", package, "--product", product]
    say(f"building {product}")
    if not attempt(f"build {product}", command, "build.log"):
        sys.exit(1)
    where = subprocess.run(["swift", "build", "-c", "release", "--package-path", package, "--show-bin-path"], capture_output=True, text=True)
    return f"{where.stdout.strip()}/{product}"


# MARK: What was measured on what


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions():
    """Version of every Python package that takes part."""
    found = {}
    for environment, names in (("main", ["torch", "jax", "jaxlib", "numpy", "mkl"]), ("tensorflow", ["tensorflow-cpu"])):
        if os.path.exists(python(environment)):
            code = "import importlib.metadata as m, sys\nfor n in sys.argv[1:]:\n try: print(n, m.version(n))\n except m.PackageNotFoundError: pass"
            output = subprocess.run([python(environment), "-c", code] + names, capture_output=True, text=True).stdout
            found |= dict(line.split() for line in output.splitlines())
    return found


def machine():
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {
        "processor": processor(), "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}", "commit": commit, "versions": versions(),
    }
