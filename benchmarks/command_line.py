"""The command line that the benchmarks share: ``--rounds``, ``--quick`` and ``--data``."""

import argparse
from pathlib import Path

DATA = Path(__file__).parent / "data"


def parser(description: str | None, rounds: int, *, data: bool = True) -> argparse.ArgumentParser:
    """With the script's own docstring as its help."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds, help="how often each contender is timed")
    made.add_argument("--quick", action="store_true", help="tiny shapes, one round: whether it runs, not how fast")
    if data:
        made.add_argument("--data", type=Path, default=DATA, help="the folder of the real data sets (see problems.py)")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    options = made.parse_args()
    if options.quick:
        options.rounds = 1
    return options
