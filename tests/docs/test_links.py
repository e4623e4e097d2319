"""What the pages point at is there, and what they tell people to type is understood."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold.reference.commands import commands

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GUIDES = ROOT / "docs" / "guides"
COMMANDS = dict(commands())
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Headings as GitHub turns them into fragments."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def typed(page: Path) -> Iterator[list[str]]:
    """The words of each `fanfold …` command in a page's shell blocks."""
    for block in _SHELL.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\$\(|[;|)]|&&", line):
                if part.strip().strip('"').startswith("fanfold "):
                    yield shlex.split(part.strip().strip('"'), comments=True)[1:]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page):
    broken = []
    for link in _LINK.findall(prose(page)):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, fragment = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        missing = not target.exists()
        if missing or (fragment and target.suffix == ".md" and fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_pages_that_code_names_are_there():
    rooms = ("contract", "device", "devcloud", "edgecore", "fanfold", "infra", "lambdas", "models")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    named = {n for f in files for n in re.findall(r"docs/[\w/-]+\.md", f.read_text("utf-8"))}

    assert len(named) > 20
    assert {each for each in named if not (ROOT / each).exists()} == set()


def test_each_decision_has_a_number_of_its_own():
    numbers = [page.name[:5] for page in (ROOT / "docs" / "decisions").glob("*.md")]

    assert len(numbers) > 15
    assert sorted(numbers) == sorted(set(numbers))


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(GUIDES.glob("*.md"))], ids=name)
def test_the_commands_of_a_guide_are_verbs_with_those_options(page):
    for words in typed(page):
        path = next((p for p in (" ".join(words[:2]), words[0]) if p in COMMANDS), None)
        assert path, f"fanfold {' '.join(words)}"
        known = {o for p in COMMANDS[path].params for o in [*p.opts, *p.secondary_opts]}
        unknown = {w for w in words if re.match(r"--?[a-z]", w)} - known
        assert not unknown, f"fanfold {path} has no {unknown}"


def test_the_guides_show_every_verb_of_the_daily_work():
    shown = {words[0] for page in GUIDES.glob("*.md") for words in typed(page)}

    assert {"doctor", "plan", "run", "status", "send", "results", "trace", "logs", "stop"} <= shown


@pytest.mark.parametrize("page", sorted(GUIDES.glob("*.md")), ids=name)
def test_every_guide_is_reachable_from_another_page(page):
    others = (p for p in PAGES if p != page)

    assert any(page.name in link for other in others for link in _LINK.findall(prose(other)))
