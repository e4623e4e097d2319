"""The glossary has each term once, and what users read speaks its words and no retired one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checkout import PROJECT
from every import every
from prometheus_client.parser import text_string_to_metric_families
from sample_status import STATUS

from edgecore.core.verdict import judge
from edgecore.web.dashboard.app import STATIC
from edgecore.web.metrics.registry import Metrics
from fanfold.reference.commands import page
from fanfold.verbs.status import _show

GLOSSARY = PROJECT / "docs" / "glossary.md"
RETIRED = re.compile(
    r"""\b(
    hearts?|beats?|pulses?|desks?|bells?          # heartbeat, lease file, wake-up FIFO
    |blamed?|guilty|convict(s|ed)?                # suspect, quarantine, terminal status
    |floors?|foreign|hold-?back|held\ back        # low watermark, stale epoch, reorder buffer
    |on\ trial|prov(e|es|ed|en)                   # uncommitted, commit
    |doorm[ae]n|knock(s|ed)?|fronts?|lent|lends?  # connection limiter, web server, credentials
    |examin(e|er|ed|ation)s?|outlets?|taps?       # check runner, targets, observers
    |mend(s|ed)?|tell(s)?|told|say(s)?|said       # repair, report, log
    |plants?|hostile|patience                     # site, fault injection, timeout
    |is\ no\ (port|image|number|site)
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)


def rows() -> list[list[str]]:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_each_term_is_there_once_in_order_with_its_meaning() -> None:
    terms = [term for term, *_ in rows()]

    assert len(terms) > 40
    assert terms == sorted(set(terms), key=str.lower)
    assert every(len(row) == 3 and meaning.endswith(".") for row in rows() for meaning in [row[1]])


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_term_shows_where_the_glossary_names(row: list[str]) -> None:
    term, _, where = row
    files = [GLOSSARY.parent / name for name in re.findall(r"\]\(([\w./-]+)\)", where)]
    files += [PROJECT / name for name in re.findall(r"`(\w+/[\w./-]+)`", where)]
    texts = [file.read_text(encoding="utf-8") for file in files]
    if "dashboard" in where:
        texts.append(dashboard())
    if "fanfold status" in where:
        texts.append((PROJECT / "fanfold" / "verbs" / "status.py").read_text(encoding="utf-8"))

    assert texts
    # Names of states and classes have the term's words joined.
    spelled = {term, term.replace(" ", "_"), term.replace(" ", "")}
    assert any(word.lower() in text.lower() for text in texts for word in spelled)


def dashboard() -> str:
    """Texts of the page: what stands between tags and in quotes."""
    files = [f for kind in ("*.html", "*.js") for f in Path(STATIC).rglob(kind)]
    found = []
    for file in files:
        text = re.sub(r"^\s*//.*$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        text = re.sub(r"\$\{[^}]*\}", "", text)
        found += re.findall(r'"([^"\n]*)"|`([^`]*)`|>([^<>{}]+)<', text)
    return "\n".join(part for parts in found for part in parts if part)


def metrics() -> str:
    served = Metrics(lambda: STATUS).render().decode()
    return "\n".join(f"{f.name} {f.documentation}" for f in text_string_to_metric_families(served))


def status(capsys: pytest.CaptureFixture[str]) -> str:
    answer = {
        "core": {"thing": "t", "uptime_s": 1.0, "pid": 1},
        "group": {"name": "g", "deployment": "d"},
        "functions": STATUS["functions"],
        "router": STATUS["router"],
        "cloud": {**STATUS["cloud"], "sink": "local"},
        "stats": STATUS["stats"],
        "findings": [],
    }
    _show(answer)
    return capsys.readouterr().out


def retired(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if RETIRED.search(line.replace("_", " "))]


def test_fanfold_status_has_no_retired_word(capsys) -> None:
    shown = status(capsys)

    assert "backlog" in shown or "waiting" in shown
    assert retired(shown) == []


def test_metrics_have_no_retired_word() -> None:
    assert "fanfold_splitter_backlog_images" in metrics()
    assert retired(metrics()) == []


def test_reasons_against_readiness_have_no_retired_word() -> None:
    broken = {
        "functions": [
            {"id": state, "pinned": True, "state": state}
            for state in ("starting", "backoff", "crash_loop", "hung", "stopped")
        ],
        "stats": {"splitter": {"t": 1.0, "workers": {"a": {"state": "silent"}}}},
        "silence_s": {"stats": {"splitter": 60}, "heartbeats": {"w9": 60}},
        "cloud": {"refusing": "disk_full"},
        "router": {"work_items": 1024, "limit": 1024},
    }
    texts = [f"{r['subject']} {r['problem']} {r['remedy']}" for r in judge(broken)["reasons"]]

    assert len(texts) > 6
    assert retired("\n".join(texts)) == []


def test_the_dashboard_has_no_retired_word() -> None:
    assert "reorder buffer" in dashboard()
    assert retired(dashboard()) == []


def test_the_help_of_every_verb_has_no_retired_word() -> None:
    assert retired(page()) == []


def test_a_retired_word_would_be_found() -> None:
    assert retired("two images held_back\nnobody says so\nall is well") == [
        "two images held_back",
        "nobody says so",
    ]
