"""What arrives at a web server, a mail server and a broker that are not ours; what never leaks."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from alert_peers import Hook, mail_server, plain_broker, silent_server
from waiting import eventually

from edgecore.alerts import channel as channel_module
from edgecore.alerts import senders
from edgecore.alerts.alert_states import Notice
from edgecore.alerts.channel import MAX_WAITING, Channel
from edgecore.alerts.senders import CannotSend, mail, mqtt, webhook

T = 1_790_000_000.0
EVIL = 'label "<script>\x1b[2J\r\nBcc: all@plant.example" on 3 image(s)'


class Clock:
    """Another's ``time``, with what has passed besides."""

    def __init__(self, real: Any) -> None:
        self._real, self.passed_s = real, 0.0

    def monotonic(self) -> float:
        return float(self._real.monotonic()) + self.passed_s


def notice(text: str = "w0 is hung", kind: Any = "on") -> Notice:
    return Notice(kind=kind, rule="workers", text=text, t=T, since=T - 60)


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def test_a_webhook_gets_the_alert_with_a_token_from_a_file(hook: Hook, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    webhook({"url": hook.url, "token_file": str(tmp_path / "token")}, "hall", "core")(notice())
    ((headers, body),) = hook.got

    assert headers["Authorization"] == "Bearer s3cret"
    assert (body["site"], body["alert"], body["kind"]) == ("hall", "workers", "on")
    assert body["message"] == "[hall] ALERT workers: w0 is hung"


@pytest.mark.parametrize("code", [500, 404, 302])
def test_a_webhook_that_refuses_or_redirects_is_a_failure_without_the_secret_address(
    hook: Hook, tmp_path: Path, code: int
) -> None:
    hook.answers = [code]
    (tmp_path / "url").write_text(hook.url + "/T0P/S3CRET")

    with pytest.raises(CannotSend) as failed:
        webhook({"url_file": str(tmp_path / "url")}, "hall", "core")(notice())
    assert str(code) in str(failed.value)
    assert "S3CRET" not in str(failed.value)


def test_a_secret_that_is_not_there_is_named_by_its_file(tmp_path: Path) -> None:
    with pytest.raises(CannotSend, match=r"token_file .*no-such: No such file"):
        webhook({"url": "http://127.0.0.1:9/", "token_file": str(tmp_path / "no-such")}, "s", "c")(
            notice()
        )


def test_a_mail_server_gets_one_mail_whose_headers_no_label_can_forge() -> None:
    got: list[Any] = []

    class Inbox:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name for it
            got.append(envelope)
            return "250 kept"

    with mail_server(Inbox()) as settings:
        to = ["ops@plant.example", "night@plant.example"]
        mail({**settings, "to": to}, "hall", "hall-core")(notice(EVIL))
    (envelope,) = got
    letter = message_from_bytes(envelope.content, policy=default)

    assert envelope.rcpt_tos == ["ops@plant.example", "night@plant.example"]
    assert letter["Bcc"] is None
    assert "\x1b" not in letter["Subject"] + letter.get_content()
    assert letter["Subject"].startswith("[hall] ALERT workers: label")
    assert "fanfold alerts acknowledge workers hall" in letter.get_content()


def test_a_mail_server_is_greeted_without_asking_the_name_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a plant without one the question alone takes ten seconds."""
    greeted: list[str] = []
    asked: list[threading.Thread] = []

    def getfqdn(*_: Any) -> str:
        asked.append(threading.current_thread())  # the server asks too, in a thread of its own
        return "slow.example"

    class Inbox:
        async def handle_EHLO(  # noqa: N802 - its name for it
            self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
        ) -> list[str]:
            session.host_name = hostname
            greeted.append(hostname)
            return responses

        async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - its name for it
            return "250 kept"

    with mail_server(Inbox()) as settings:
        monkeypatch.setattr("socket.getfqdn", getfqdn)
        mail({**settings, "to": ["ops@plant.example"]}, "hall", "hall-core")(notice())

    assert greeted == ["[127.0.0.1]"]
    assert threading.main_thread() not in asked


def test_mosquitto_hands_the_alert_to_its_subscriber(tmp_path: Path) -> None:
    with plain_broker(tmp_path) as port:
        listen = ["mosquitto_sub", "-p", str(port), "-t", "plant/alerts", "-q", "1", "-c"]
        listen += ["-i", "control-room", "-W", "20"]
        subprocess.run([*listen, "-E"], check=True, timeout=30)
        mqtt({"host": "127.0.0.1", "port": port, "topic": "plant/alerts"}, "hall", "c")(notice())
        heard = subprocess.run([*listen, "-C", "1"], check=True, capture_output=True, timeout=30)
        body = json.loads(heard.stdout)

    assert (body["alert"], body["text"]) == ("workers", "w0 is hung")


def test_a_mail_server_that_hangs_holds_nothing_up_and_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(senders, "TIMEOUT_S", 0.3)
    with silent_server() as port:
        settings = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "a@b.example",
            "to": ["c@d.example"]}  # fmt: skip
        channel = Channel("mail", mail(settings, "hall", "c"), base_s=0.01, cap_s=0.05)
        for _ in range(MAX_WAITING + 5):
            channel.put(notice())
        eventually(lambda: channel.status()["failures"] >= 2, "it was tried twice")
        status = channel.status()
        channel.stop()

    assert (status["waiting"], status["dropped"], status["sent"]) == (MAX_WAITING, 5, 0)
    assert "timed out" in status["problem"]


def test_what_a_webhook_refused_for_long_arrives_when_it_answers_again(hook: Hook) -> None:
    hook.answers = [500, 503, 429, 200]
    channel = Channel("webhook", webhook({"url": hook.url}, "s", "c"), base_s=0.01, cap_s=0.02)
    channel.put(notice("first"))
    channel.put(notice("second"))
    eventually(lambda: channel.status()["sent"] == 2, "both arrived")
    status = channel.status()
    channel.stop()

    assert [body["text"] for _, body in hook.got] == ["first"] * 4 + ["second"]
    assert (status["failures"], status["problem"]) == (3, None)


def test_a_day_of_500s_calls_the_webhook_ever_more_rarely_and_keeps_what_is_not_too_old(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day passes in a moment: each pause adds its seconds to the clock."""
    clock = Clock(channel_module.time)
    monkeypatch.setattr(channel_module, "time", clock)
    hook.answers = [500]
    channel = Channel("webhook", webhook({"url": hook.url}, "s", "c"))
    pauses: list[float] = []
    passed = threading.Event()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.passed_s += seconds
        if clock.passed_s > 50_000 and len(put) == 1:
            put.append("second")
            channel.put(notice("second"))
        if sum(pauses) > 90_000:
            hook.answers = [200]
            passed.set()

    put = ["first"]
    monkeypatch.setattr(channel, "_pause", pause)
    channel.put(notice("first"))
    assert passed.wait(60)
    eventually(lambda: channel.status()["waiting"] == 0, "the webhook answered again")
    status = channel.status()
    channel.stop()

    assert pauses[:9] == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0]
    assert set(pauses[9:]) == {300.0}
    assert (status["sent"], status["dropped"], status["problem"]) == (1, 1, None)
    assert hook.got[-1][1]["text"] == "second", "the first had waited for over a day"


def test_a_test_that_arrives_sends_what_was_waiting_for_its_next_try(hook: Hook) -> None:
    hook.answers = [500, 200]
    channel = Channel("webhook", webhook({"url": hook.url}, "s", "c"), base_s=300.0)
    channel.put(notice("the alert"))
    eventually(lambda: channel.status()["failures"] == 1, "it waits five minutes")
    channel.try_now(notice("a test", kind="test"), lambda _: None)
    eventually(lambda: channel.status()["sent"] == 1, "it went after the test")
    channel.stop()

    assert [body["text"] for _, body in hook.got] == ["the alert", "a test", "the alert"]


def test_a_server_that_keeps_an_attempt_alive_is_said_and_gets_no_second_one() -> None:
    """A byte every few seconds meets every limit of a socket."""
    asked: list[str] = []
    let_go = threading.Event()

    def drips(sent: Notice) -> None:
        asked.append(sent.text)
        assert let_go.wait(60)

    channel = Channel("mail", drips, base_s=0.01, cap_s=0.02, attempt_s=0.05)
    channel.put(notice("first"))
    channel.put(notice("second"))
    eventually(lambda: channel.status()["failures"] >= 3, "it was given up several times")
    said, begun = channel.status()["problem"], list(asked)
    let_go.set()
    eventually(lambda: channel.status()["waiting"] == 0, "both arrived")
    channel.stop()

    assert "has not ended in 0.05 s" in said
    assert begun == ["first"]
    assert asked == ["first", "second"]


def test_a_recipient_that_the_mail_server_refuses_is_named_by_the_test() -> None:
    got: list[Any] = []

    class Inbox:
        async def handle_RCPT(  # noqa: N802 - its name for it
            self, _server: Any, _session: Any, envelope: Any, to: str, _options: Any
        ) -> str:
            if to == "gone@plant.example":
                return "550 no such user"
            envelope.rcpt_tos.append(to)
            return "250 OK"

        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name for it
            got.append(envelope)
            return "250 kept"

    with mail_server(Inbox()) as settings:
        to = ["ops@plant.example", "gone@plant.example"]
        send = mail({**settings, "to": to}, "hall", "hall-core")
        with pytest.raises(CannotSend, match=r"not to gone@plant\.example \(550\)"):
            send(notice(kind="test"))
        send(notice())  # an alert that the others have is not sent to them again

    assert [envelope.rcpt_tos for envelope in got] == [["ops@plant.example"]] * 2


def test_a_test_says_how_each_way_went(hook: Hook) -> None:
    done, found = threading.Event(), []
    channel = Channel("webhook", webhook({"url": hook.url}, "s", "c"))
    channel.try_now(notice(kind="test"), lambda problem: (found.append(problem), done.set()))

    assert done.wait(20)
    assert found == [""]
    channel.stop()
