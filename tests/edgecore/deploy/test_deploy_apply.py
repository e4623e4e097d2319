from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import groups
import pytest

from edgecore import deploy
from edgecore.sources import load


def _load(folder: Path, body: str):
    return load(str(groups.write(folder, body=body)), state=folder / "state")


def _running(state: Path) -> str:
    found = deploy.current(state)
    assert found is not None
    code = found.group.functions[0].code
    assert code is not None
    return (code / "hello.py").read_text()


def test_before_the_first_apply_nothing_is_current(tmp_path: Path) -> None:
    assert deploy.current(tmp_path) is None
    assert deploy.previous(tmp_path) is None
    assert deploy.applied_at(tmp_path) is None
    with pytest.raises(LookupError, match="no previous"):
        deploy.rollback(tmp_path)


def test_a_rollback_goes_to_the_previous_group_with_its_code(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for body in ("a = 1\n", "a = 2\n"):
        deploy.apply(state, _load(tmp_path, body))

    assert _running(state) == "a = 2\n"
    deploy.rollback(state)
    assert _running(state) == "a = 1\n"


def test_only_current_and_previous_stay_on_disk(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for number in range(5):
        deploy.apply(state, _load(tmp_path, f"a = {number}\n"))

    folders = [p for p in (state / "deployment").iterdir() if not p.is_symlink()]
    assert len(folders) == 2
    assert len(list((state / "cache" / "code").iterdir())) == 2
    assert _running(state) == "a = 4\n"
    deploy.rollback(state)
    assert _running(state) == "a = 3\n"


def test_applying_the_same_group_twice_keeps_the_way_back(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for body in ("a = 1\n", "a = 2\n", "a = 2\n"):
        deploy.apply(state, _load(tmp_path, body))

    found = deploy.previous(state)
    assert found is not None
    deploy.rollback(state)
    assert _running(state) == "a = 1\n"


def test_an_older_group_applied_anew_has_the_newer_as_its_previous(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for body in ("a = 1\n", "a = 2\n", "a = 1\n"):
        deploy.apply(state, _load(tmp_path, body))

    deploy.rollback(state)
    assert _running(state) == "a = 2\n"


CHILD = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from edgecore import deploy
    from edgecore.sources import load
    document, state, die_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    seen = 0
    STEPS = ("os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "open", "tempfile")
    def count(event, args):
        global seen
        if not event.startswith(STEPS) or str(state) not in str(args):
            return
        if event == "open" and not (args[2] & (os.O_CREAT | os.O_DIRECTORY)):
            return
        seen += 1
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    deploy.apply(state, load(document, state=state))
    print(seen)
""")


def _child(document: Path, state: Path, die_at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(document), str(state), str(die_at)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_exactly_the_old_or_the_new_group(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for body in ("a = 'older'\n", "a = 'old'\n"):
        deploy.apply(state, _load(tmp_path, body))
    old, new = "a = 'old'\n", "a = 'new'\n"
    document = groups.write(tmp_path, body=new)
    steps, seen = 0, set()
    while True:
        steps += 1
        done = _child(document, state, steps)
        running = _running(state)
        assert running in (old, new)
        seen.add(running)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        if running == new:  # go back, so that every later step is killed as well
            deploy.apply(state, _load(tmp_path, old))
            groups.write(tmp_path, body=new)
    assert steps > 20
    assert seen == {old, new}
    assert _running(state) == new
    left = [p.name for p in (state / "deployment").iterdir() if p.name.startswith(".")]
    left += [p.name for p in (state / "cache" / "code").iterdir() if p.name.startswith(".")]
    assert left == []
