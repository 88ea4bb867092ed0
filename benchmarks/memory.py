"""Peak memory of a sweep over 100 penalties, 100000 x 100 float32, beyond what the imports take.

A process of its own loads the data from a file and calls `fit_path`. Its largest resident size (the
high-water mark that the system keeps) less that after the imports is printed beside the bytes of X, of
one array of lanes x rows, and the target of 2 X + 6 such arrays. Data are included, and so is what
compiling takes: how much that is, the same sweep over a tiny X tells.

    python benchmarks/memory.py [--quick]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
from problems import made
from timing import machine

import jaxlogreg as jlr

TINY = (200, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small problem: whether it runs")
    parser.add_argument("--child", nargs=2, metavar=("FILE", "LANES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(sweep(Path(options.child[0]), int(options.child[1])))
        return
    shape, lanes = ((2000, 20), 10) if options.quick else ((100_000, 100), 100)
    print(machine())
    beyond_imports, tiny = measure(shape, lanes), measure(TINY, lanes)
    data, array = 4 * shape[0] * shape[1], 4 * lanes * shape[0]
    rows = {
        f"peak of {lanes} penalties, {shape[0]} x {shape[1]} float32, over the imports": beyond_imports,
        f"the same for {TINY[0]} x {TINY[1]}: compiling, mostly": tiny,
        "X": data,
        "one array of lanes x rows": array,
        "target: 2 X + 6 arrays of lanes x rows": 2 * data + 6 * array,
    }
    print()
    for name, size in rows.items():
        print(f"{name:72}{size / 2**20:9.1f} MiB")
    target = 2 * data + 6 * array
    print(f"{'target / peak':72}{target / beyond_imports:8.2f}x")
    if beyond_imports > tiny:
        print(f"{'target / (peak - compiling)':72}{target / (beyond_imports - tiny):8.2f}x")


def measure(shape: tuple[int, int], lanes: int) -> int:
    problem = made(*shape, 0.5, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        np.savez(file, X=problem.X, y=problem.y)
        command = [sys.executable, __file__, "--child", str(file), str(lanes)]
        return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def sweep(file: Path, lanes: int) -> int:
    """In the child: bytes at the peak of a sweep, less those after the imports."""
    jax.devices()
    imports = peak()
    with np.load(file) as data:
        X, y = data["X"], data["y"]
    solution = jlr.fit_path(X, y, l2=np.logspace(-1, -5, lanes))
    jax.block_until_ready(solution)
    return peak() - imports


def peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    # Linux passes ru_maxrss on through exec, so that a child would begin with its parent's; VmHWM begins anew.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
