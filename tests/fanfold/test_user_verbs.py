"""`fanfold user` and `fanfold audit`: what an operator types, with the core stopped."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT
from pydantic import TypeAdapter

from edgecore.__main__ import parser
from edgecore.disk.process_mark import process_mark
from edgecore.people.audit import Act, AuditLog
from edgecore.people.roles import Role
from edgecore.people.sessions import Sessions
from edgecore.people.users import Users
from fanfold.common import output
from fanfold.localcore import running
from fanfold.localcore.listening import Listen
from fanfold.main import main
from fanfold.reference.answers import ANSWERS

PASSWORD = "correct horse battery"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FANFOLD_STATE", str(tmp_path / "s"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "s" / "core" / "demo"


def typed(monkeypatch: pytest.MonkeyPatch, *words: str, stdin: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    return main(words)


def test_the_guides_lines_do_what_they_say(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (PROJECT / "docs/guides/lan.md").read_text()
    first, *others = re.findall(r"```sh\n(.*?)```", page, re.S)
    echo, *lines = first.splitlines()
    lines += [line for block in others for line in block.splitlines() if line.startswith("fanfold")]
    words, file = re.fullmatch(r'echo "(.*)" > (\S+)', echo).groups()
    Path(file).write_text(words + "\n")
    own = [line.split(" > ")[0].split()[1:] for line in lines if " run " not in line]

    assert {" ".join(words): typed(monkeypatch, *words) for words in own} == {
        " ".join(words): 0 for words in own
    }
    shown = capsys.readouterr().out
    assert re.search(r"oskar +operator +password", shown)
    # A narrow terminal breaks a row's last cell.
    words_shown = " ".join(shown.split())
    row = r"local:\S+ admin command line user add done name=ann (\S+ )?role=admin"
    assert re.search(row, words_shown)
    assert Users(state).check("oskar", words) is not None


def test_the_audit_log_names_each_act_whole_in_a_narrow_terminal(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "user", "add", "demo", "ann", "--role", "admin", "--no-password") == 0
    AuditLog(state).add(
        Act(
            who="ann", role="admin", address="10.0.0.7", what="POST /api/actions/propose-regions",
            result="done", status=200,
        )
    )  # fmt: skip
    monkeypatch.setattr(output.out, "_width", 80)
    capsys.readouterr()

    assert typed(monkeypatch, "audit", "demo") == 0
    shown = capsys.readouterr().out
    assert "POST" in shown
    assert "…" not in shown


def test_what_run_is_given_the_core_understands(tmp_path: Path) -> None:
    given = Listen(
        listen="0.0.0.0:8443", names=["press7.local", "press7"], certificate=Path("c.pem"),
        key=Path("k.pem"), trust_header="X-User", trust_from=["10.0.0.2"], no_tls=True,
    ).arguments()  # fmt: skip
    core = parser().parse_args(given)

    assert (core.listen, core.http_name) == ("0.0.0.0:8443", ["press7.local", "press7"])
    assert core.http_certificate == Path("c.pem").absolute()
    assert (core.trust_header, core.trust_from, core.no_tls) == ("X-User", ["10.0.0.2"], True)
    assert Listen().arguments() == []


def test_a_token_is_printed_once_and_ends_with_a_sign_out(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "user", "add", "demo", "prom", "--role", "viewer",
        "--no-password") == 0  # fmt: skip
    capsys.readouterr()
    assert typed(monkeypatch, "user", "token", "demo", "prom", "--days", "30") == 0
    token = capsys.readouterr().out.strip()
    users = Users(state)

    assert Sessions(state, users).who(token).role is Role.VIEWER
    assert typed(monkeypatch, "user", "list", "demo", "--json") == 0
    (user,) = json.loads(capsys.readouterr().out)["users"]
    assert [s["kind"] for s in user["sessions"]] == ["token"]
    assert typed(monkeypatch, "user", "sign-out", "demo", "prom") == 0
    assert Sessions(state, users).who(token) is None


def test_each_verb_answers_a_script_with_the_user_as_it_is_then(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answered(verb: str, *words: str, stdin: str = "") -> dict[str, Any]:
        assert typed(monkeypatch, "user", verb, "demo", "ann", *words, "--json", stdin=stdin) == 0
        answer = json.loads(capsys.readouterr().out)
        TypeAdapter(ANSWERS[f"user {verb}"]).validate_python(answer)
        return dict(answer)

    added = answered("add", "--role", "viewer", stdin=PASSWORD + "\n")["user"]
    assert (added["name"], added["role"], added["sessions"]) == ("ann", "viewer", [])
    assert answered("role", "--role", "operator")["user"]["role"] == "operator"
    token = answered("token", "--days", "30")
    assert [each["kind"] for each in token["user"]["sessions"]] == ["token"]
    assert Sessions(state, Users(state)).who(token["token"]) is not None
    assert answered("sign-out")["user"]["sessions"] == []
    assert answered("passwd", stdin=PASSWORD + "!\n")["user"]["password"] is True
    assert answered("remove")["user"] is None


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        ("user add demo ann --role viewer", "short\n", "5 characters, at least 12"),
        ("user add demo ../x --role viewer", PASSWORD + "\n", "letters, digits"),
        ("user add demo bob --role viewer", PASSWORD + "\n", "exists"),
        ("user remove demo nobody", "", "no user 'nobody'; users: bob"),
        ("user token demo nobody", "", "no user 'nobody'; users: bob"),
        ("user passwd demo bob --password-file nowhere", "", "No such file"),
        ("user list nosite", "", "nosite"),
        ("user list demo --state nowhere", "", "no such folder"),
    ],
)
def test_a_mistake_is_a_sentence_and_changes_nothing(
    words: str, stdin: str, said: str, state: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    Users(state).add("bob", Role.OPERATOR, None)
    before = (state / "people" / "users.json").read_text()

    assert typed(monkeypatch, *words.split(), stdin=stdin) in {2, 3}
    assert said in " ".join(capsys.readouterr().err.split())
    assert (state / "people" / "users.json").read_text() == before


def test_who_stopped_a_core_is_in_the_audit_log(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as process:
        facts = {"pid": process.pid, **(process_mark(process.pid) or {}), "ports": {}}
        (state / "core.json").write_text(json.dumps(facts))
        assert typed(monkeypatch, "stop", "demo") == 0

    (act,) = AuditLog(state).newest(10)
    assert (act["what"], act["from"], act["detail"]) == (
        "stop", "command line", {"pid": process.pid},
    )  # fmt: skip


@pytest.mark.parametrize("other", ["boot_id", "started_ticks"])
def test_stop_sends_no_signal_to_a_process_that_got_the_number_after_a_power_cut(
    other: str, state: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    state.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as process:
        mark = {**(process_mark(process.pid) or {}), other: "of before the power cut"}
        (state / "core.json").write_text(json.dumps({"pid": process.pid, **mark, "ports": {}}))
        assert typed(monkeypatch, "stop", "demo") == 3
        assert "no core of site 'demo' is running here" in " ".join(capsys.readouterr().err.split())
        assert process.poll() is None
        process.kill()
    assert AuditLog(state).newest(10) == []


def test_a_core_json_without_a_mark_is_believed_only_of_a_core(state: Path) -> None:
    state.mkdir(parents=True)
    for name, found in ("sleep", False), ("edgecore", True):
        with subprocess.Popen([name, "60"], executable="/bin/sleep") as process:
            (state / "core.json").write_text(json.dumps({"pid": process.pid, "ports": {}}))
            assert (running.read(state) is not None) is found
            process.kill()


@pytest.fixture
def only_one(state: Path, tmp_path: Path) -> Path:
    """A folder with one site, which has not run yet. The state directory of its core."""
    for name in ("sites", "device_profiles"):
        (tmp_path / name).mkdir()
    (tmp_path / "sites/demo.yaml").write_text((PROJECT / "sites/demo.yaml").read_text())
    for file in (PROJECT / "device_profiles").glob("*.yaml"):
        (tmp_path / "device_profiles" / file.name).write_text(file.read_text())
    return state


def test_where_there_is_one_site_nobody_has_to_name_it(
    only_one: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("user", "add", "ann", "--role", "admin", "--no-password")

    assert [typed(monkeypatch, *add), typed(monkeypatch, "user", "list")] == [0, 0]
    assert typed(monkeypatch, "audit") == 0
    assert {"name=ann", "role=admin"} < set(capsys.readouterr().out.split())
    assert [user.name for user in Users(only_one).all()] == ["ann"]


def test_where_there_are_several_sites_they_are_named_and_nothing_is_done(
    only_one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "sites/line-3.yaml").write_text((PROJECT / "sites/line-3.yaml").read_text())

    assert typed(monkeypatch, "user", "add", "ann", "--role", "admin", "--no-password") == 2
    assert "there are several sites: demo, line-3. Pass the site." in capsys.readouterr().err
    assert not only_one.exists()


def test_a_site_alone_is_no_users_name(
    only_one: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "user", "add", "demo", "--role", "admin", "--no-password") == 2
    assert "demo is a site: put the user's name behind it" in capsys.readouterr().err
