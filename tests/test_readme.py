"""Every Python block of README.md and of the pages in docs runs, one after the other, as a reader would type them."""

import re
import subprocess
import sys
from types import ModuleType

import pytest
from conftest import ROOT

import jaxlogreg as jlr
import jaxlogreg.sklearn
from jaxlogreg import plot

README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
WITHOUT_CODE = [DOCS / "comparison.md"]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def each(pages):
    return pytest.mark.parametrize("page", pages, ids=[page.name for page in pages])


@each([page for page in PAGES if page not in WITHOUT_CODE])
def test_python_blocks_run(page):
    code = "\n".join(blocks(page, "python"))
    assert code.count("jlr.") > 2
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_two_commands_are_there():
    commands = "\n".join(blocks(README, "sh"))
    assert "pip install -e '.[plot]' && .venv/bin/python examples/tumour_diagnosis.py" in commands
    assert "pip install -e '.[test]' && .venv/bin/pytest" in commands


@each(PAGES)
def test_files_that_are_linked_exist(page):
    targets = re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text())
    assert targets
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_is_in_the_contents():
    contents = "\n".join(re.findall(r"^```\{toctree\}\n(.*?)^```", (DOCS / "index.md").read_text(), re.M | re.S))
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= set(contents.split())


def test_times_compared_are_those_of_the_readme():
    _, section = (DOCS / "comparison.md").read_text().split("## Where we are faster\n")
    rows = re.findall(r"^\| .*\*\*.*$", section.split("## ")[0], re.M)
    assert len(rows) > 5
    assert [row for row in rows if row not in README.read_text()] == []


MODULES = {"jaxlogreg": jlr, "jaxlogreg.plot": plot, "jaxlogreg.sklearn": jaxlogreg.sklearn}
MODULES |= {f"jaxlogreg.{name}": x for name in jlr.__all__ if isinstance(x := getattr(jlr, name), ModuleType)}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module):
    found = set()
    for page in (DOCS / "api").glob("*.rst"):
        text, current = page.read_text(), ""
        # All members of a module, or names one by one, in the module that was named before.
        for directive, name, options in re.findall(
            r"^\.\. (automodule|currentmodule|autofunction|autoclass):: (\S+)((?:\n   .*)*)", text, re.M
        ):
            if directive in ("automodule", "currentmodule"):
                current = name
                found |= set(MODULES[module].__all__) if name == module and ":members:" in options else set()
            elif current == module:
                found.add(name)
    modules = {name for name in MODULES[module].__all__ if isinstance(getattr(MODULES[module], name), ModuleType)}
    assert set(MODULES[module].__all__) - modules - {"__version__"} - found == set()
