"""Every Python block of README.md and of the pages in docs runs, one after the other, as a reader would type them."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_python_blocks_run(page):
    code = "\n".join(blocks(page, "python"))
    assert code.count("jlr.") > 5
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_two_commands_are_there():
    commands = "\n".join(blocks(ROOT / "README.md", "sh"))
    assert "pip install -e '.[plot]' && .venv/bin/python examples/tumour_diagnosis.py" in commands
    assert "pip install -e '.[test]' && .venv/bin/pytest" in commands


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_files_that_are_linked_exist(page):
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert targets
    assert [target for target in targets if not (page.parent / target).exists()] == []
