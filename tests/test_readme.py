"""Every Python block of README.md runs, one after the other, as a reader would type them."""

import re
import subprocess
import sys

from conftest import ROOT


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)


def test_python_blocks_run(tmp_path):
    code = "\n".join(blocks("python"))
    assert code.count("jlr.") > 5
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_two_commands_are_there():
    commands = "\n".join(blocks("sh"))
    assert "pip install -e '.[plot]' && .venv/bin/python examples/tumour_diagnosis.py" in commands
    assert "pip install -e '.[test]' && .venv/bin/pytest" in commands


def test_files_that_are_linked_exist():
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
