"""An entry point that cannot start says why in one line of the log, whatever part it is."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest
from checkout import PROJECT
from inference_kit import DEADLINE_S, environment

SPLITTER = {
    "FANFOLD_ROLE": "splitter",
    "FANFOLD_SITE": "s",
    "FANFOLD_IMAGES_TOPIC": "s/images/",
    "FANFOLD_WORK_TOPIC": "s/work/",
    "FANFOLD_DONE_TOPIC": "s/done",
    "FANFOLD_CAMERAS": "cam1",
    "FANFOLD_WORKERS": "w0",
}
AGGREGATOR = {
    "FANFOLD_ROLE": "aggregator",
    "FANFOLD_CAMERAS": "cam1",
    "FANFOLD_SITE": "s",
    "FANFOLD_ACK_TOPIC": "s/ack",
    "FANFOLD_RESULTS_TOPIC": "s/results/",
    "FANFOLD_LATE_TOPIC": "s/late/",
    "FANFOLD_CLOUD_TOPIC": "fanfold/s/results",
}


def load_handler(tmp_path, part, env):
    """Import the entry point in a process of its own, as the core does.

    The real SDK needs modules that only a core supplies; these starts end before its use.
    """
    (tmp_path / "greengrasssdk.py").write_text("def client(name): return None\n")
    return subprocess.run(
        [sys.executable, "-c", f"import lambdas.{part}.handler"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{PROJECT}", **env},
        cwd=str(PROJECT),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def why(done):
    """The reason on the log's only line; the process ended with exit code 1."""
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    said = json.loads(line)
    assert (said["level"], "traceback" in said) == ("CRITICAL", False)
    assert said["message"].startswith("cannot start: ")
    return said["message"]


def volumes(tmp_path):
    (tmp_path / "images").mkdir()
    return {
        "FANFOLD_IMAGES_DIR": str(tmp_path / "images"),
        "FANFOLD_STATE_DIR": str(tmp_path / "state"),
    }


def test_a_model_that_is_missing_ends_the_start_with_one_clear_line(tmp_path):
    env = environment(tmp_path, tmp_path / "nothing")
    assert "no model" in why(load_handler(tmp_path, "inference", env))


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("inference", ["FANFOLD_WORKER", "FANFOLD_MODEL_DIR"]),
        ("transform", ["FANFOLD_WORKER", "FANFOLD_MODEL_DIR"]),
        ("pool", ["FANFOLD_WORKER", "FANFOLD_MODEL_DIR"]),
        ("splitter", ["FANFOLD_CAMERAS", "FANFOLD_WORKERS"]),
        ("aggregator", ["FANFOLD_RESULTS_TOPIC", "FANFOLD_ACK_TOPIC"]),
    ],
)
def test_all_that_the_environment_lacks_is_said_at_once(tmp_path, part, missing):
    env = {"FANFOLD_ROLE": part, "FANFOLD_SITE": "s"}
    reason = why(load_handler(tmp_path, part, env))
    for variable in missing:
        assert f"{variable} is missing" in reason


@pytest.mark.parametrize(
    ("given", "variable", "value", "remedy"),
    [
        (SPLITTER, "FANFOLD_WINDOW", "900", "use 1 to 64"),
        (SPLITTER, "FANFOLD_CAMERAS", "cam1,cam1", "names something twice"),
        (AGGREGATOR, "FANFOLD_MAX_WAIT_S", "soon", "not a number"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path, given, variable, value, remedy):
    env = {**given, **volumes(tmp_path), variable: value}
    reason = why(load_handler(tmp_path, given["FANFOLD_ROLE"], env))
    assert variable in reason
    assert value in reason
    assert remedy in reason


def test_a_pool_of_no_number_of_processes_is_refused_with_what_is(tmp_path):
    env = environment(tmp_path, tmp_path / "model")
    env.update(FANFOLD_ROLE="pool", FANFOLD_POOL_WORKERS="many")
    assert "'many': use auto, or 1 to 256" in why(load_handler(tmp_path, "pool", env))


@pytest.mark.parametrize("given", [SPLITTER, AGGREGATOR])
def test_a_state_directory_that_cannot_be_made_is_named(tmp_path, given):
    (tmp_path / "file").write_text("")
    state = tmp_path / "file" / "state"
    env = {**given, **volumes(tmp_path), "FANFOLD_STATE_DIR": str(state)}
    assert str(tmp_path / "file") in why(load_handler(tmp_path, given["FANFOLD_ROLE"], env))


DATABASES = pytest.mark.parametrize(
    ("given", "name"), [(SPLITTER, "journal"), (AGGREGATOR, "store")]
)


@DATABASES
def test_a_database_that_cannot_be_opened_is_named(tmp_path, given, name):
    env = {**given, **volumes(tmp_path)}
    part = given["FANFOLD_ROLE"]
    database = tmp_path / "state" / part / f"{name}.sqlite3"
    database.mkdir(parents=True)

    assert f"{database}: unable to open" in why(load_handler(tmp_path, part, env))


@DATABASES
def test_a_database_of_a_format_to_come_is_kept_as_it_is_and_said_and_the_start_goes_on(
    tmp_path, given, name
):
    env = {**given, **volumes(tmp_path)}
    part = given["FANFOLD_ROLE"]
    database = tmp_path / "state" / part / f"{name}.sqlite3"
    database.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(str(database))) as other:
        other.execute("PRAGMA user_version=99")
    done = load_handler(tmp_path, part, env)

    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    said = json.loads(line)
    assert said["level"] == "ERROR"
    assert f"{database} is damaged or not of this format (it has format 99" in said["message"]
    [kept] = database.parent.glob(f"{database.name}.corrupt-*")
    assert f"kept as {kept}" in said["message"]
    with contextlib.closing(sqlite3.connect(str(kept))) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (99,)
