"""The first fit in a new process: import, compile, fit, on the tumour data, beside scikit-learn.

Each measurement is a process of its own; the contenders take turns. NumPy and the data are loaded
before the clock starts, for all alike. The last row has JAX's persistent compilation cache turned on
(`jax_compilation_cache_dir`), filled by one run that is not counted.

    python benchmarks/cold_start.py [--rounds 9]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

TUMOUR = Path(__file__).parent.parent / "examples" / "data" / "breast_cancer_wdbc.csv"

PREPARE = f"""
import time, numpy as np
table = np.loadtxt({str(TUMOUR)!r}, delimiter=",", skiprows=1)
X, y = table[:, :-1], table[:, -1]
X = (X - X.mean(0)) / X.std(0)
start = time.perf_counter()
"""
SCIKIT_LEARN = """
from sklearn.linear_model import LogisticRegression
LogisticRegression(C=1 / (len(y) * 1e-2)).fit(X, y)
print(time.perf_counter() - start)
"""
JAXLOGREG = """
import jax
jax.config.update("jax_enable_x64", True)
{cache}
import jaxlogreg as jlr
jlr.fit(X, y, l2=1e-2).value.block_until_ready()
print(time.perf_counter() - start)
"""
CACHE = """
jax.config.update("jax_compilation_cache_dir", {directory!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="The first fit in a new process.")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        programs = {
            "scikit-learn": SCIKIT_LEARN,
            "jaxlogreg": JAXLOGREG.format(cache=""),
            "jaxlogreg, persistent cache": JAXLOGREG.format(cache=CACHE.format(directory=directory)),
        }
        for program in programs.values():
            run(program)  # files into memory, and the cache
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, program in programs.items():
                times[name].append(run(program))
    peer = median(times["scikit-learn"])
    print(f"{'first fit in a new process':30}{'time':>8}{'scikit-learn / it':>20}")
    for name, seconds in times.items():
        print(f"{name:30}{median(seconds):6.2f} s{peer / median(seconds):18.2f}x")


def run(program: str) -> float:
    ran = subprocess.run([sys.executable, "-c", PREPARE + program], capture_output=True, text=True, check=True)
    return float(ran.stdout)


if __name__ == "__main__":
    main()
