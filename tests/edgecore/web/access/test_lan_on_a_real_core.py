"""A real core on the local network: strangers (curl, openssl, Chromium) on the other side."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from checkout import PROJECT
from chromium import Browser, needs_chromium
from lan_plant import PASSWORD, Plant
from waiting import eventually

from edgecore.people.audit import AuditLog
from edgecore.people.roles import Role
from edgecore.web.handshakes import MAX_HANDSHAKES

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(
        not all(map(shutil.which, ("openssl", "curl"))), reason="needs openssl and curl"
    ),
]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    made = Plant(tmp_path_factory.mktemp("plant"))
    made.start()
    yield made
    made.site.stop()


PUBLISH = {"topic": "belt/speed", "payload": "{}", "as": "cloud"}


def test_openssl_sees_the_fingerprint_that_was_printed(plant: Plant) -> None:
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{plant.port}", "-CAfile", str(plant.ca),
            "-verify_return_error", "-verify_ip", "127.0.0.1"],
        input="", capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip

    assert "Verify return code: 0 (ok)" in shown
    seen = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown[shown.index("-----BEGIN") :
        shown.index("-----END CERTIFICATE-----") + 25])).digest().hex(":").upper()  # fmt: skip
    assert seen == plant.facts["listen"]["fingerprint"]
    assert seen in (plant.site.folder / "core.out").read_text()


@pytest.mark.parametrize("old", ["-tls1_1", "-no_tls1_3 -no_tls1_2"])
def test_older_tls_is_not_spoken(plant: Plant, old: str) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{plant.port}", *old.split()]
    done = subprocess.run(command, input="", capture_output=True, timeout=60, check=False)

    assert done.returncode != 0
    assert b"Cipher is (NONE)" in done.stdout or not done.stdout


def test_curl_reads_with_a_token_and_not_without(plant: Plant, tmp_path: Path) -> None:
    def curl(*more: str) -> str:
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert",
            str(plant.ca), *more]  # fmt: skip
        return subprocess.run(
            [*command, f"{plant.origin}/metrics"], capture_output=True, text=True, timeout=60,
            check=True,
        ).stdout  # fmt: skip

    assert curl("-H", f"Authorization: {plant.token('vera')}") == "200"
    assert curl() == "401"
    assert curl("-H", f"X-Fanfold-Token: {plant.facts['token']}") == "401"


def test_loopback_with_the_token_is_as_it_was(plant: Plant) -> None:
    assert plant.site.status()["core"]["thing"] == "t-core"


def test_a_log_in_sets_a_cookie_that_no_script_and_no_other_page_gets(plant: Plant) -> None:
    status, cookie, said = plant.log_in("oskar")

    assert (status, said) == (200, "Signed in as oskar.")
    name, *flags = cookie.split("; ")
    assert name.startswith("__Host-fanfold=")
    assert {f.lower() for f in flags} >= {"httponly", "secure", "samesite=strict", "path=/"}
    me = json.loads(plant.ask("GET", "/api/me", Cookie=name)[2])
    assert (me["name"], me["role"]) == ("oskar", "operator")


def test_a_session_that_was_brought_along_is_never_adopted(plant: Plant) -> None:
    """Fixation: whoever plants a cookie in a browser does not hold its session afterwards."""
    _, attackers, _ = plant.log_in("vera")
    planted = attackers.split(";")[0]

    for brought in (planted, "__Host-fanfold=" + "x" * 43):
        status, cookie, _ = plant.log_in("ada", Cookie=brought)
        assert status == 200
        assert cookie.split(";")[0] != brought
        assert plant.ask("GET", "/api/me", Cookie=brought)[0] == 401


def test_a_viewer_who_forges_an_operators_request_is_refused_and_named(plant: Plant) -> None:
    cookie = plant.log_in("vera")[1].split(";")[0]
    forged = plant.ask("POST", "/api/actions/publish", PUBLISH, Cookie=cookie, Origin=plant.origin)
    users = plant.ask(
        "POST", "/api/users/vera", {"role": "admin"}, Authorization=plant.token("vera")
    )
    listed = plant.ask("GET", "/api/users", Cookie=cookie)

    assert [answer[0] for answer in (forged, users, listed)] == [403, 403, 403]
    assert "vera is viewer; this takes operator." in forged[2].decode()
    newest = AuditLog(plant.site.state).newest(3)
    assert {(a["who"], a["from"], a["result"]) for a in newest} == {
        ("vera", "127.0.0.1", "refused")
    }


def test_an_operators_act_is_done_and_stands_in_log_and_timeline(plant: Plant) -> None:
    status, _, body = plant.ask(
        "POST", "/api/actions/publish", PUBLISH, Authorization=plant.token("oskar")
    )
    assert status in {200, 409}, body  # nobody may be connected to take it

    act = AuditLog(plant.site.state).newest(1)[0]
    assert (act["who"], act["role"], act["what"]) == (
        "oskar", "operator", "POST /api/actions/publish")  # fmt: skip
    assert act["detail"] == {"topic": "belt/speed", "as": "cloud"}

    def told() -> bool:
        found = plant.ask("GET", "/api/history/events", Authorization=plant.token("vera"))
        events = json.loads(found[2])["events"] if found[0] == 200 else []
        done = any(e["who"] == "oskar" and e["subject"] == "belt/speed" for e in events)
        refused = any(e["who"] == "vera" and "refused (403)" in e["text"] for e in events)
        return done and refused

    eventually(told, "both on the timeline, with their names")


def test_an_open_stream_ends_with_its_users_session(plant: Plant) -> None:
    plant.users.add("gone", Role.VIEWER, PASSWORD)
    bearer = plant.token("gone")
    connection = HTTPSConnection(
        "127.0.0.1", plant.port, timeout=60,
        context=ssl.create_default_context(cafile=plant.ca),
    )  # fmt: skip
    connection.request("GET", "/api/stream", headers={"Authorization": bearer})
    answer = connection.getresponse()
    assert answer.readline()

    plant.users.remove("gone")
    while answer.readline():  # to its end, which the timeout of the connection asks for
        pass
    connection.close()


def test_who_guesses_waits_and_keeps_nobody_else_out(plant: Plant) -> None:
    answers = [plant.log_in("ada", f"wrong password {n}")[0] for n in range(8)]

    assert answers[:5] == [401] * 5
    assert 429 in answers
    status, headers, _ = plant.ask(
        "POST", "/api/login", {"name": "ada", "password": PASSWORD}, Origin=plant.origin
    )
    assert status in {200, 429}
    assert status == 200 or int(headers["retry-after"]) <= 60
    assert plant.ask("GET", "/api/me", Authorization=plant.token("ada"))[0] == 200
    assert plant.site.status()["core"]


def test_silent_connections_keep_nobody_out(plant: Plant) -> None:
    crowd = [socket.create_connection(("127.0.0.1", plant.port)) for _ in range(MAX_HANDSHAKES * 2)]
    try:
        assert plant.ask("GET", "/live")[0] == 200
    finally:
        for each in crowd:
            each.close()


def test_many_askers_at_the_same_moment_are_all_answered(plant: Plant) -> None:
    bearer, answers = plant.token("vera"), []
    threads = [
        threading.Thread(
            target=lambda: answers.append(plant.ask("GET", "/api/status", Authorization=bearer)[0])
        )
        for _ in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 24


def test_sessions_and_the_token_of_loopback_survive_a_kill(plant: Plant) -> None:
    bearer, before = plant.token("oskar"), plant.facts["token"]
    assert plant.site.process is not None
    os.kill(plant.site.process.pid, signal.SIGKILL)
    plant.site.process.wait()
    (plant.site.state / "core.json").unlink()
    plant.start()

    assert plant.ask("GET", "/api/me", Authorization=bearer)[0] == 200
    assert plant.facts["token"] == before


def test_a_core_without_users_does_not_listen_and_says_what_to_do(
    plant: Plant, tmp_path: Path
) -> None:
    document = plant.site.folder / "group-document.json"
    command = [sys.executable, "-m", "edgecore", "--group", str(document), "--mqtt-port", "off",
        "--ipc-port", "0", "--http-port", "0", "--state", str(tmp_path), "--listen",
        "0.0.0.0:0"]  # fmt: skip
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 2
    assert "fanfold user add" in done.stderr
    assert "Traceback" not in done.stderr


@needs_chromium
def test_chromium_signs_in_sees_its_rights_and_signs_out(plant: Plant, browser: Browser) -> None:
    plant.users.add("nora", Role.ADMIN, PASSWORD)
    browser("open", url=f"{plant.origin}/history")
    browser.wait("location.pathname === '/login' && document.querySelector('#login')")
    browser("fill", selector="[name=name]", text="nora")
    browser("fill", selector="[name=password]", text="wrong password")
    browser("press", key="Enter")
    browser.wait("document.querySelector('#problem').innerText", 60_000)
    wrong = browser.text("#problem")
    assert "wrong" in wrong or "Too many" in wrong
    sign_in(plant, browser, "nora")
    browser.wait("document.querySelectorAll('#users tbody tr').length >= 4")
    assert "nora" in browser.text("#users")
    browser.wait("document.querySelectorAll('#acts tbody tr').length > 1")
    browser("evaluate", script="document.querySelector('#sign-out').click()")
    browser.wait("location.pathname === '/login'")
    browser("open", url=f"{plant.origin}/")
    browser.wait("location.pathname === '/login'")


@needs_chromium
def test_a_page_left_open_beyond_its_week_asks_who_is_there(plant: Plant, browser: Browser) -> None:
    plant.users.add("lena", Role.VIEWER, PASSWORD)
    sign_in(plant, browser, "lena")
    browser("open", url=f"{plant.origin}/")
    browser.wait("document.querySelector('#live').innerText === 'live'", 30_000)
    file = plant.site.state / "people" / "sessions.json"
    kept = json.loads(file.read_text())
    for entry in kept["sessions"].values():
        entry["until"] = 1.0
    file.write_text(json.dumps(kept))

    browser.wait("location.pathname === '/login' && location.search.includes('next=')", 30_000)


@needs_chromium
def test_a_viewers_page_offers_no_action(plant: Plant, browser: Browser) -> None:
    sign_in(plant, browser, "vera")
    browser("open", url=f"{plant.origin}/")
    browser.wait("document.querySelector('#person').innerText.includes('vera (viewer)')")
    browser.wait("document.querySelector('#actions-note').innerText.includes('vera is viewer')")

    fetched = "performance.getEntriesByType('resource').map((e) => e.name).join()"
    assert "actions.js" in browser("evaluate", script=fetched)
    assert "forms.js" not in browser("evaluate", script=fetched)
    assert browser.count("#actions-body form") == 0
    assert browser("evaluate", script="document.body.classList.contains('can-drain')") is False
    assert browser("evaluate", script="document.cookie") == ""


WIDER = """(() => {
  const scrolls = (node) => getComputedStyle(node).overflowX !== 'visible';
  const inside = (node) => node.parentElement && (scrolls(node.parentElement)
    && node.parentElement !== document.body || inside(node.parentElement));
  return [...document.querySelectorAll('body *')]
    .filter((n) => n.getBoundingClientRect().right > innerWidth + .5 && !inside(n))
    .map((n) => `${n.tagName}#${n.id}.${n.className}`).slice(0, 9);
})()"""


@needs_chromium
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", ["mira", "vera"])
def test_nothing_on_the_people_page_is_wider_than_the_screen(
    plant: Plant, browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    """An admin's, with users and audit log, and a viewer's own password."""
    if not any(user.name == "mira" for user in plant.users.all()):
        plant.users.add("mira", Role.ADMIN, PASSWORD)
    sign_in(plant, browser, name)
    browser("open", url=f"{plant.origin}/people", width=width, height=844)
    shown = "#acts tbody tr" if name == "mira" else "#own:not([hidden]) form"
    browser.wait(f"document.querySelector('{shown}')")

    browser("screenshot", path=str(tmp_path / f"people-{name}-{width}.png"))
    assert browser("evaluate", script=WIDER) == []
    assert browser("evaluate", script="document.documentElement.scrollWidth") <= width
    cards = "[...document.querySelectorAll('.wide')]"
    assert browser("evaluate", script=f"{cards}.every((n) => n.scrollWidth <= n.clientWidth)")


@needs_chromium
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("path", ["/", "/history", "/regions"])
def test_nothing_on_a_signed_in_page_is_wider_than_the_screen(
    plant: Plant, browser: Browser, path: str, width: int
) -> None:
    """With the name and role of who looks at the top of it."""
    sign_in(plant, browser, "vera")
    browser("open", url=f"{plant.origin}{path}", width=width, height=844)
    browser.wait("document.readyState === 'complete'")
    browser.wait("document.querySelector('#person').innerText.includes('vera')")

    assert browser("evaluate", script=WIDER) == []
    assert browser("evaluate", script="document.documentElement.scrollWidth") <= width


def sign_in(plant: Plant, browser: Browser, name: str) -> None:
    """By the form, as often as it says that this address has to wait, and so to the people's page;
    who is signed in already stays so, and goes nowhere."""
    browser("open", url=f"{plant.origin}/live")
    me = "fetch('/api/me').then((answer) => answer.ok && answer.json()).then((me) => me.name)"
    if browser("evaluate", script=me) == name:
        return
    browser("evaluate", script="fetch('/api/logout', {method: 'POST'}).then(() => true)")
    browser("open", url=f"{plant.origin}/login?next=/people")

    def signed_in() -> bool:
        browser("fill", selector="[name=name]", text=name)
        browser("fill", selector="[name=password]", text=PASSWORD)
        browser("evaluate", script="document.querySelector('#problem').hidden = true")
        browser("press", key="Enter")
        browser.wait("location.pathname === '/people' "
            "|| document.querySelector('#problem')?.hidden === false", 60_000)  # fmt: skip
        return bool(browser("evaluate", script="location.pathname") == "/people")

    eventually(signed_in, f"{name} is signed in")
    browser.wait(f"document.querySelector('#person')?.innerText.includes({json.dumps(name)})")
