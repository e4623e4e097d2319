"""How one notice is sent: an HTTP POST, a mail, an MQTT message. Blocking, each with time limits.

Raises CannotSend, whose text is for the operator and holds no secret.
"""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from edgecore.alerts.alert_states import Notice
from edgecore.alerts.secret import SecretError, read_secret
from edgecore.history.text import visible

TIMEOUT_S = 15.0
SUBJECTS = {"on": "ALERT", "again": "STILL", "ended": "ended", "test": "test"}

log = logging.getLogger(__name__)

Settings = Mapping[str, Any]
Send = Callable[[Notice], None]


class CannotSend(Exception):  # noqa: N818 - what it says is what it is
    """This time; it is tried again."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token is for the address that was configured, and for no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def body_of(notice: Notice, site: str, thing: str) -> dict[str, Any]:
    """What a webhook and an MQTT subscriber get (docs/spec/alerts.md)."""
    return {
        "v": 1, "site": site, "core": thing, "alert": notice.rule, "kind": notice.kind,
        "text": notice.text, "t": notice.t, "since": notice.since,
    }  # fmt: skip


def webhook(settings: Settings, site: str, thing: str) -> Send:
    def send(notice: Notice) -> None:
        secret = _secret(settings, "url")
        url = secret or str(settings["url"])
        token = _secret(settings, "token")
        headers = {"Content-Type": "application/json", "User-Agent": "fanfold"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = body_of(notice, site, thing)
        body["message"] = subject_of(notice, site)
        if not url.startswith(("https://", "http://")):
            raise CannotSend("webhook: the address is no http:// or https:// URL")
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - checked above
        shown = "the webhook" if secret else url
        try:
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S) as done:
                done.read(4096)
        except urllib.error.HTTPError as error:
            raise CannotSend(f"{shown} answered {error.code}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CannotSend(f"{shown}: {_words(reason, secret)}") from None

    return send


def subject_of(notice: Notice, site: str) -> str:
    said = visible(notice.text).replace("\n", " ")
    return f"[{site}] {SUBJECTS[notice.kind]} {notice.rule}: {said}"[:250]


def mail(settings: Settings, site: str, thing: str) -> Send:
    def send(notice: Notice) -> None:
        password = _secret(settings, "password")
        host, port = str(settings["host"]), int(settings["port"])
        secured = settings.get("tls", "starttls")
        context = ssl.create_default_context(cafile=settings.get("ca_file") or None)
        try:
            with _smtp(host, port, context if secured == "tls" else None) as server:
                if secured == "starttls":
                    server.starttls(context=context)
                if password is not None:
                    server.login(str(settings["username"]), password)
                refused = server.send_message(_mail_of(notice, settings, site, thing))
        except (OSError, smtplib.SMTPException) as error:
            raise CannotSend(f"mail by {host}:{port}: {_words(error, password)}") from None
        if refused:  # of some: the others have it, and must not get it again
            why = "; ".join(f"{to} ({code})" for to, (code, _) in sorted(refused.items()))
            said = (
                f"mail by {host}:{port}: sent, but not to {visible(why)}: correct these addresses"
            )
            if notice.kind == "test":
                raise CannotSend(said)
            log.warning("alerts: %s", said)

    return send


def _smtp(host: str, port: int, context: ssl.SSLContext | None) -> smtplib.SMTP:
    """Named by its own address: smtplib's own way asks the name service for this machine's name,
    which a plant without one may wait for."""
    own: dict[str, Any] = {"local_hostname": "[127.0.0.1]", "timeout": TIMEOUT_S}
    if context is not None:
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, context=context, **own)
    else:
        server = smtplib.SMTP(host, port, **own)
    address = server.sock.getsockname()[0] if server.sock else "127.0.0.1"
    server.local_hostname = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    return server


def _mail_of(notice: Notice, settings: Settings, site: str, thing: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject_of(notice, site)
    message["From"], message["To"] = settings["sender"], ", ".join(settings["to"])
    message["Date"], message["Message-ID"] = (
        formatdate(notice.t),
        make_msgid(domain="fanfold.local"),
    )
    lines = [visible(notice.text), "", f"site: {site}", f"core: {thing}", f"alert: {notice.rule}",
        f"since: {formatdate(notice.since)}"]  # fmt: skip
    if notice.kind in {"on", "again"}:
        lines += ["", f"Acknowledge: fanfold alerts acknowledge {notice.rule} {site}"]
    message.set_content("\n".join(lines) + "\n")
    return message


def mqtt(settings: Settings, site: str, thing: str) -> Send:
    def send(notice: Notice) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        password = _secret(settings, "password")
        host, port = str(settings["host"]), int(settings["port"])
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect_timeout = TIMEOUT_S
        if settings.get("username"):
            client.username_pw_set(str(settings["username"]), password)
        payload = json.dumps(body_of(notice, site, thing))
        try:
            if settings.get("tls"):
                client.tls_set(ca_certs=settings.get("ca_file") or None)
            client.connect(host, port, keepalive=30)
            client.loop_start()
            sent = client.publish(str(settings["topic"]), payload, qos=1)
            sent.wait_for_publish(TIMEOUT_S)
            if not sent.is_published():
                raise CannotSend(f"mqtt {host}:{port}: not acknowledged in {TIMEOUT_S:.0f} s")
        except (OSError, ValueError, RuntimeError) as error:
            raise CannotSend(f"mqtt {host}:{port}: {_words(error, password)}") from None
        finally:
            client.disconnect()
            client.loop_stop()

    return send


def _secret(settings: Settings, name: str) -> str | None:
    try:
        return read_secret(settings, name)
    except SecretError as error:
        raise CannotSend(str(error)) from None


def _words(error: object, secret: str | None) -> str:
    """An error's words without the secret, which some servers repeat."""
    said = visible(str(error) or type(error).__name__)
    return said.replace(secret, "…")[:300] if secret else said[:300]


SENDERS: dict[str, Callable[[Settings, str, str], Send]] = {
    "webhook": webhook, "mail": mail, "mqtt": mqtt,
}  # fmt: skip
