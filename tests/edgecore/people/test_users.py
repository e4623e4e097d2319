"""Users, their passwords, and what is signed in, as the core and the command line share them."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from edgecore.people.kept_file import KeptFileError
from edgecore.people.passwords import MAX_BYTES, PasswordError, hash_password, matches
from edgecore.people.roles import Role
from edgecore.people.sessions import DAY_S, MAX_PER_USER, Sessions
from edgecore.people.users import AccountError, User, Users

PASSWORD = "correct horse battery"


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def users(tmp_path: Path) -> Users:
    made = Users(tmp_path)
    made.add("ann", Role.OPERATOR, PASSWORD)
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, users: Users, clock: Clock) -> Sessions:
    return Sessions(tmp_path, users, clock)


def get(users: Users, name: str = "ann") -> User:
    found = users.get(name)
    assert found is not None
    return found


def test_a_user_is_known_by_the_password_and_by_no_other(users: Users) -> None:
    assert users.check("ann", PASSWORD) == get(users)
    assert users.check("ann", PASSWORD + " ") is None
    assert users.check("bob", PASSWORD) is None


def test_the_file_holds_no_password_and_is_its_owners_alone(tmp_path: Path, users: Users) -> None:
    path = tmp_path / "people" / "users.json"

    assert PASSWORD not in path.read_text()
    assert "$argon2id$" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_user_of_a_proxy_has_no_password_that_matches(users: Users) -> None:
    users.add("oidc@plant.example", Role.VIEWER, None)

    assert users.check("oidc@plant.example", "") is None
    assert not matches(PASSWORD, None)


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "5 characters, at least 12"), ("a" * 40, "different"), ("äb1-" * 400, "1024 bytes")],
)
def test_a_weak_password_is_refused_with_its_limit(password: str, why: str) -> None:
    with pytest.raises(PasswordError, match=why):
        hash_password(password)


def test_an_endless_password_costs_nothing_to_refuse() -> None:
    assert not matches("x" * (MAX_BYTES + 1), None)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a" * 65, "ann\n", "<b>"])
def test_a_name_that_could_be_anything_else_is_refused(users: Users, name: str) -> None:
    with pytest.raises(AccountError, match="letters, digits"):
        users.add(name, Role.VIEWER, PASSWORD)


def test_what_cannot_be_done_names_who_there_is(users: Users) -> None:
    with pytest.raises(AccountError, match="exists"):
        users.add("ann", Role.ADMIN, PASSWORD)
    for change in (users.remove, users.sign_out, lambda n: users.set_role(n, Role.ADMIN)):
        with pytest.raises(AccountError, match="no user 'bob'; users: ann"):
            change("bob")


def test_another_process_sees_a_change_at_once(tmp_path: Path, users: Users) -> None:
    other = Users(tmp_path)
    assert get(other).role is Role.OPERATOR

    users.set_role("ann", Role.ADMIN)
    assert get(other).role is Role.ADMIN


def test_changes_at_the_same_moment_lose_none(tmp_path: Path, sessions: Sessions) -> None:
    user = get(Users(tmp_path))
    opened: list[str] = []

    def sign_in() -> None:
        mine = Sessions(tmp_path, Users(tmp_path), sessions._wall)
        opened.extend(mine.open(user, kind="browser", days=1) for _ in range(5))

    threads = [threading.Thread(target=sign_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sessions.who(token) for token in opened] == [user] * 30


def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(tmp_path: Path, users: Users) -> None:
    path = tmp_path / "people" / "users.json"
    for damaged in ("{", "[]", '{"v":2}', '{"v":1,"users":[]}', '{"v":1,"users":{"ann":{}}}'):
        path.write_text(damaged)
        with pytest.raises(KeptFileError, match=r"users\.json"):
            Users(tmp_path).check("ann", PASSWORD)


def test_a_session_outlives_the_core_and_ends_with_its_time(
    tmp_path: Path, users: Users, sessions: Sessions, clock: Clock
) -> None:
    token = sessions.open(get(users), kind="browser", days=7)

    clock.now += 7 * DAY_S - 1
    assert Sessions(tmp_path, Users(tmp_path), clock).who(token) == get(users)
    clock.now += 2
    assert sessions.who(token) is None


def test_nothing_that_opens_a_session_is_on_disk(tmp_path: Path, sessions: Sessions) -> None:
    token = sessions.open(get(sessions._users), kind="token", days=365)
    text = (tmp_path / "people" / "sessions.json").read_text()

    assert token not in text
    (key,) = json.loads(text)["sessions"]
    assert sessions.who(key) is None  # its hash is no key either


@pytest.mark.parametrize("change", ["role", "password", "sign out", "remove", "remove and add"])
def test_every_change_of_a_user_ends_what_is_open(
    users: Users, sessions: Sessions, change: str
) -> None:
    token = sessions.open(get(users), kind="browser", days=7)
    if change == "role":
        users.set_role("ann", Role.ADMIN)
    elif change == "password":
        users.set_password("ann", "another long password")
    elif change == "sign out":
        users.sign_out("ann")
    else:
        users.remove("ann")
    if change == "remove and add":
        users.add("ann", Role.VIEWER, PASSWORD)

    assert sessions.who(token) is None


def test_one_log_out_leaves_the_others(users: Users, sessions: Sessions) -> None:
    mine, other = (sessions.open(get(users), kind="browser", days=7) for _ in range(2))
    sessions.close(mine)

    assert (sessions.who(mine), sessions.who(other)) == (None, get(users))
    assert len(sessions.of(get(users))) == 1


def test_a_browser_that_signs_in_for_ever_ends_its_own_oldest_and_no_token(
    users: Users, sessions: Sessions, clock: Clock
) -> None:
    program = sessions.open(get(users), kind="token", days=365)
    tokens = []
    for _ in range(MAX_PER_USER + 1):
        clock.now += 1
        tokens.append(sessions.open(get(users), kind="browser", days=7))

    assert sessions.who(tokens[0]) is None
    assert sessions.who(tokens[1]) == sessions.who(program) == get(users)


def test_damaged_sessions_sign_nobody_in(tmp_path: Path, users: Users, sessions: Sessions) -> None:
    token = sessions.open(get(users), kind="browser", days=7)
    path = tmp_path / "people" / "sessions.json"
    content = json.loads(path.read_text())
    for entry in content["sessions"].values():
        entry["until"] = "never"
    path.write_text(json.dumps(content))

    assert Sessions(tmp_path, users).who(token) is None
    assert sessions.open(get(users), kind="browser", days=7)
