"""Route × role: every route that is served is in the table, and nothing else is served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from dashboard_replay import ReplayCore
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from edgecore.core.observers import Observers
from edgecore.people.audit import Act, AuditLog
from edgecore.people.roles import Role
from edgecore.people.sessions import Sessions
from edgecore.people.users import Users
from edgecore.web.access.authenticators import TrustedProxy, UserAuthenticator
from edgecore.web.access.guard import Guard
from edgecore.web.access.people import PeopleRoutes
from edgecore.web.access.rights import RIGHTS, acts_of
from edgecore.web.access.signin import SignIn
from edgecore.web.app import make_app
from edgecore.web.dashboard.app import Dashboard, Ports
from edgecore.web.metrics.registry import Metrics

HOST = "10.0.0.9:8443"
PROXY = "10.0.0.2"
PASSWORDLESS = {"vera": Role.VIEWER, "oskar": Role.OPERATOR, "ada": Role.ADMIN}
SAFE = ("GET", "HEAD")


def served(routes: Sequence[BaseRoute], below: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount) and isinstance(route.app, StaticFiles):
            yield f"GET {below}{route.path}/{{path:path}}"
        elif isinstance(route, Mount):
            yield from served(route.routes, below + route.path)
        else:
            assert isinstance(route, Route), route
            yield from (f"{m} {below}{route.path}" for m in route.methods or () if m != "HEAD")


def test_every_route_is_in_the_table_and_the_table_has_no_other(tmp_path: Path) -> None:
    core, users = ReplayCore(tmp_path), Users(tmp_path)
    page = Dashboard(Ports(status=core, hub=core, actions=core), core.view)
    sessions = Sessions(tmp_path, users)
    people = [
        *SignIn(users, sessions).routes(),
        *PeopleRoutes(users, sessions, AuditLog(tmp_path)).routes(),
    ]
    app = make_app(core.status, Metrics(core.status), Observers(), page.app, people)

    assert sorted(served(app.routes)) == sorted(RIGHTS)


def test_viewers_only_read_operators_act_and_admins_manage() -> None:
    for route, least in RIGHTS.items():
        method, path = route.split(" ")
        if path.startswith("/api/actions/"):
            assert least is Role.OPERATOR, route
        elif path.startswith("/api/users") or path == "/api/audit":
            assert least is Role.ADMIN, route
        elif method not in SAFE:
            assert path in {"/api/login", "/api/logout", "/api/me/password"}, route
        else:
            assert least in {None, Role.VIEWER}, route
    assert acts_of(Role.VIEWER) == []
    assert "restart" in acts_of(Role.OPERATOR)


async def _inner(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"message": "done"}'})


class Plant:
    """A guard over an application that does whatever it is asked."""

    def __init__(self, state: Path) -> None:
        self.users = Users(state)
        for name, role in PASSWORDLESS.items():
            self.users.add(name, role, None)
        self.sessions = Sessions(state, self.users)
        self.authenticator = UserAuthenticator(
            users=self.users, sessions=self.sessions, tls=True, names=frozenset({"press7.local"}),
            proxy=TrustedProxy(header="x-forwarded-user", addresses=frozenset({PROXY})),
        )  # fmt: skip
        self.acts: list[Act] = []

    def sign_in(self, name: str, kind: str = "browser") -> str:
        user = self.users.get(name)
        assert user is not None
        return self.sessions.open(user, kind=kind, days=1)

    def ask(
        self, route: str, *, peer: str = "10.0.0.77", host: str = HOST, **headers: str
    ) -> tuple[int, dict[str, str]]:
        """Status and headers; ``route`` is a line of the table, or another."""
        method, path = route.split(" ")
        for pattern, value in {"{stream}": "cam1", "{seq:int}": "7", "{image:int}": "7",
                "{name}": "w0", "{path:path}": "main.js"}.items():  # fmt: skip
            path = path.replace(pattern, value)
        named = {"host": host, **{k.replace("_", "-"): v for k, v in headers.items()}}
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "scheme": "https",
            "headers": [(k.encode(), v.encode()) for k, v in named.items()],
            "client": (peer, 40000), "server": ("10.0.0.9", 8443),
        }  # fmt: skip
        sent: list[Message] = []

        async def note(act: Act) -> None:
            self.acts.append(act)

        async def send(message: Message) -> None:
            sent.append(message)

        guard = Guard(_inner, self.authenticator, note)
        asyncio.run(cast(Any, guard(scope, cast(Receive, None), send)))
        return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    return Plant(tmp_path_factory.mktemp("plant"))


@pytest.fixture(scope="module")
def signed_in(plant: Plant) -> dict[str, str]:
    return {name: f"__Host-fanfold={plant.sign_in(name)}" for name in PASSWORDLESS}


@pytest.fixture
def keys(plant: Plant, signed_in: dict[str, str]) -> dict[str, str]:
    plant.acts.clear()
    return signed_in


ORIGIN = f"https://{HOST}"


@pytest.mark.parametrize("route", RIGHTS)
def test_each_role_gets_exactly_what_the_table_gives_it(
    route: str, plant: Plant, keys: dict[str, str]
) -> None:
    least = RIGHTS[route]
    for name, role in PASSWORDLESS.items():
        status, _ = plant.ask(route, cookie=keys[name], origin=ORIGIN)
        assert status == (200 if least is None or role >= least else 403), name
    status, headers = plant.ask(route, origin=ORIGIN)
    expected = {200} if least is None else {401, 303}
    assert status in expected
    assert "location" not in headers or headers["location"].startswith("/login?next=")


@pytest.mark.parametrize("route", ["GET /api/nothing", "PUT /api/users/w0", "GET /people/x"])
def test_what_is_not_in_the_table_is_not_served_even_to_an_admin(
    route: str, plant: Plant, keys: dict[str, str]
) -> None:
    assert plant.ask(route, cookie=keys["ada"], origin=ORIGIN)[0] in {404, 405}
    assert plant.ask(route, origin=ORIGIN)[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://10.0.0.9"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_an_operators_browser_cannot_be_made_to_act_by_another_page(
    headers: dict[str, str], plant: Plant, keys: dict[str, str]
) -> None:
    status, _ = plant.ask("POST /api/actions/restart", cookie=keys["oskar"], **headers)

    assert status == 403
    assert [(a.result, a.status) for a in plant.acts] == [("refused", 403)]


def test_a_program_acts_with_its_token_and_needs_no_origin(plant: Plant) -> None:
    bearer = f"Bearer {plant.sign_in('oskar', 'token')}"

    assert plant.ask("POST /api/actions/restart", authorization=bearer)[0] == 200
    assert plant.ask("POST /api/users", authorization=bearer)[0] == 403


@pytest.mark.parametrize(
    "cookie", ["fanfold={}", "__Host-Fanfold={}", "x={}", "__Host-fanfold={}x", "__Host-fanfold="]
)
def test_a_session_counts_in_its_own_cookie_only(cookie: str, plant: Plant) -> None:
    held = cookie.format(plant.sign_in("ada"))

    assert plant.ask("GET /api/status", cookie=held)[0] == 401


def test_the_token_of_loopback_is_worth_nothing_on_the_network(plant: Plant) -> None:
    assert plant.ask("GET /api/status", x_fanfold_token="t" * 43)[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.8", "", "localhost.evil.example"])
def test_a_name_that_is_not_listened_for_is_refused(
    host: str, plant: Plant, keys: dict[str, str]
) -> None:
    assert plant.ask("GET /", host=host, cookie=keys["ada"])[0] == 421


@pytest.mark.parametrize("host", ["press7.local", "PRESS7.local:8443", "10.0.0.9"])
def test_its_names_and_the_address_of_the_connection_are_listened_for(
    host: str, plant: Plant, keys: dict[str, str]
) -> None:
    assert plant.ask("GET /", host=host, cookie=keys["vera"])[0] == 200


def test_a_link_in_a_mail_leads_to_the_log_in_and_to_nothing_else(plant: Plant) -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate",
        "sec_fetch_dest": "document"}  # fmt: skip

    status, headers = plant.ask("GET /history", **link)
    assert (status, headers["location"]) == (303, "/login?next=/history")
    assert plant.ask("GET /api/status", **link)[0] == 403
    assert plant.ask("GET /history", **{**link, "sec_fetch_dest": "iframe"})[0] == 403


def test_a_proxy_names_who_it_signed_in(plant: Plant) -> None:
    plant.acts.clear()
    said = {"x_forwarded_user": "oskar", "x_forwarded_for": "6.6.6.6, 10.0.0.50"}

    status, _ = plant.ask("POST /api/actions/drain", peer=PROXY, origin=ORIGIN, **said)
    assert status == 200
    assert (plant.acts[0].who, plant.acts[0].address) == ("oskar", "10.0.0.50")
    assert plant.ask("POST /api/users", peer=PROXY, origin=ORIGIN, **said)[0] == 403
    assert plant.ask("POST /api/actions/drain", peer=PROXY, **said)[0] == 403  # without Origin


def test_nobody_but_the_proxy_is_believed(plant: Plant) -> None:
    for peer, name in (("10.0.0.3", "ada"), (PROXY, "nobody"), (PROXY, "")):
        assert plant.ask("GET /api/users", peer=peer, x_forwarded_user=name)[0] == 401


def test_an_act_is_noted_with_who_from_where_and_what(plant: Plant, keys: dict[str, str]) -> None:
    plant.ask("POST /api/actions/restart", cookie=keys["oskar"], origin=ORIGIN)
    plant.ask("POST /api/actions/restart", cookie=keys["vera"], origin=ORIGIN)
    plant.ask("GET /api/users", cookie=keys["vera"])
    plant.ask("GET /api/status", cookie=keys["vera"])

    restart = "POST /api/actions/restart"
    assert [(a.who, a.role, a.address, a.what, a.result) for a in plant.acts] == [
        ("oskar", "operator", "10.0.0.77", restart, "done"),
        ("vera", "viewer", "10.0.0.77", restart, "refused"),
        ("vera", "viewer", "10.0.0.77", "GET /api/users", "refused"),
    ]


def test_a_users_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    plant = Plant(tmp_path)
    bearer = f"Bearer {plant.sign_in('ada')}"
    (tmp_path / "people" / "users.json").write_text("{")

    assert plant.ask("GET /api/status", authorization=bearer)[0] == 503
    assert plant.ask("GET /live", authorization=bearer)[0] == 200
