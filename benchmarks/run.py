"""Runs the benchmarks, each as a process of its own, and writes what they print into RESULTS.md.

A section a script: its first sentence, its command, its output, its pictures. What follows in a
paragraph beginning "What it says:" is written by hand and kept. With --only the other sections stay as
they are.

    python benchmarks/run.py [--only fit,sweep] [--data DIR] [--quick] [--results FILE]
"""

import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

from command_line import DATA
from timing import machine

HERE = Path(__file__).parent
BY_HAND = "What it says:"

# Arguments of each script, in the order of the sections.
SCRIPTS: dict[str, list[str]] = {
    "fit": ["--pictures"],
    "sweep": [],
    "l1_path": ["--rounds", "1"],
    "one_vs_all": [],
    "many_small": [],
    "inference": [],
    "optimisers": [],
    "memory": [],
    "cold_start": [],
    "kernels": [],
}
TAKES_DATA = ("fit", "sweep", "l1_path", "one_vs_all")
QUICK = {"cold_start": ["--rounds", "1"]}  # --quick for all others
PICTURES = {"fit": ("suboptimality.png", "scaling.png")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", type=lambda names: names.split(","), default=list(SCRIPTS), help="some scripts, as a,b"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the real data sets (see problems.py)")
    parser.add_argument("--quick", action="store_true", help="tiny shapes: whether all run, not how fast")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", help="the file to write")
    options = parser.parse_args()
    unknown = set(options.only) - SCRIPTS.keys() - {"gpu"}
    if unknown:
        parser.error(f"no such script: {', '.join(sorted(unknown))}; there are {', '.join([*SCRIPTS, 'gpu'])}")
    sections = read_sections(options.results)
    for name in options.only:
        print(f"running {name}", flush=True)
        sections[name] = section(name, options, kept=by_hand(sections.get(name, "")))
        # After every script, so that an interrupted run loses nothing.
        ordered = [sections[key] for key in [*SCRIPTS, "gpu"] if key in sections]
        others = [text for key, text in sections.items() if key not in SCRIPTS and key != "gpu"]
        options.results.write_text("\n".join([header(), *ordered, *others]))


def header() -> str:
    return f"""# Results

Written by `python benchmarks/run.py`. Each block is what the named script printed; its first lines say on which machine
and when. Ratios are from one run, contenders in turn; times vary by 20 % and more between runs on such a machine,
ratios by less. Above 1 in the last column means faster than the best peer.

The last run: {machine().replace(chr(10), ". Versions: ")}.
"""


def section(name: str, options: argparse.Namespace, kept: str) -> str:
    script = HERE / f"{name}.py"
    shown = [*SCRIPTS.get(name, []), *(QUICK.get(name, ["--quick"]) if options.quick else [])]
    data = ["--data", str(options.data.resolve())] if name in TAKES_DATA else []
    ran = subprocess.run([sys.executable, str(script), *shown, *data], capture_output=True, text=True)
    output = ran.stdout.strip()
    if ran.returncode != 0:
        errors = ran.stderr.strip().splitlines()
        output += f"\n\nFAILED with exit status {ran.returncode}: {errors[-1] if errors else 'no message'}"
        print(f"  {name} failed:\n{ran.stderr}", file=sys.stderr, flush=True)
    command = " ".join(["python", f"benchmarks/{name}.py", *shown])
    first_sentence = re.split(r"\.(?:\s|$)", ast.get_docstring(ast.parse(script.read_text())) or "")[0]
    pictures = "".join(f"\n![{picture}](output/{picture})\n" for picture in PICTURES.get(name, ()))
    return f"## {name}.py\n\n{first_sentence}: `{command}`\n\n```\n{output.strip()}\n```\n{pictures}{kept}"


def read_sections(results: Path) -> dict[str, str]:
    """The sections of a file by the name of the script in their headings."""
    if not results.exists():
        return {}
    sections: dict[str, str] = {}
    for text in re.split(r"^(?=## )", results.read_text(), flags=re.MULTILINE)[1:]:
        named = re.search(r"(\w+)\.py", text.splitlines()[0])
        sections[named[1] if named else text.splitlines()[0]] = text.rstrip("\n") + "\n"
    return sections


def by_hand(section: str) -> str:
    """The part of a section that is written by hand."""
    start = section.find(f"\n{BY_HAND}")
    return "" if start < 0 else "\n" + section[start:].strip("\n") + "\n"


if __name__ == "__main__":
    main()
