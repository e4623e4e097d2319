"""What a site wants to be called for, and how (docs/guides/alerting.md).

Secrets are never part of it: a password or a token is named by its file on the device or by a
variable of the core's environment.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from infra.planning.fields import AbsolutePath, Name, PositiveFloat, PositiveInt, Record

#: All variables of an AWS Lambda function: 4 KB (docs.aws.amazon.com/lambda/latest/dg,
#: "Lambda quotas"); the rules travel as one of the aggregator's.
MAX_VARIABLE_BYTES = 2_800

When = Literal[
    "no_results", "failed_share", "label_seen", "label_rate", "backlog", "worker_down", "disk",
    "certificate", "cloud_link",
]  # fmt: skip
SecretVariable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
MailAddress = Annotated[str, Field(pattern=r"^[^@\s,;<>]{1,64}@[^@\s,;<>]{1,255}$")]
_CaFile = Annotated[
    AbsolutePath | None, Field(description="Certificates to trust instead of the system's.")
]
_Username = Annotated[
    Annotated[str, Field(min_length=1)] | None, Field(description="Who sends; absent: no login.")
]
_PasswordFile = Annotated[
    AbsolutePath | None, Field(description="File on the device that holds the password.")
]
_PasswordVariable = Annotated[
    SecretVariable | None, Field(description="Instead: a variable of the core's environment.")
]

#: Fields of each kind beside name, when and cool_down_s: (needed, possible).
_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "no_results": ({"for_s"}, {"camera"}),
    "failed_share": ({"above"}, {"camera", "window_s", "at_least", "for_s"}),
    "label_seen": ({"label"}, {"camera", "window_s", "at_least"}),
    "label_rate": ({"label", "above"}, {"camera", "window_s", "at_least", "for_s"}),
    "backlog": ({"above"}, {"for_s"}),
    "worker_down": (set(), {"for_s"}),
    "disk": ({"above"}, {"for_s"}),
    "certificate": (set(), {"days"}),
    "cloud_link": (set(), {"for_s"}),
}
_SHARES = {"failed_share", "label_rate"}
#: A worker that is started again and a link that is renewed call nobody.
_WAITS_S = {"worker_down": 60.0, "cloud_link": 300.0, "backlog": 60.0, "disk": 60.0}


class AlertRule(Record):
    """One reason to call somebody."""

    name: Name = Field(description="Of the alert, in messages and on the page.")
    when: When = Field(description="The kind of condition.")
    above: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="failed_share, label_rate: a share, 0 to 1; backlog: images; disk: percent.",
    )
    for_s: Annotated[float, Field(ge=0, le=604_800)] | None = Field(
        default=None,
        description="How long it must last (worker_down, backlog, disk: 60; cloud_link: 300), "
        "or be without a result (no_results).",
    )
    window_s: Annotated[float, Field(ge=10, le=3_600)] | None = Field(
        default=None, description="Time over which shares and labels are counted; default 300."
    )
    at_least: PositiveInt | None = Field(
        default=None, description="Images in the window before it counts; default 20, label_seen 1."
    )
    days: PositiveFloat | None = Field(
        default=None, description="certificate: days before its end; default 14."
    )
    camera: Name | None = Field(default=None, description="One camera only; absent: all together.")
    label: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="label_seen, label_rate: which."
    )
    cool_down_s: Annotated[float, Field(ge=60, le=604_800)] = Field(
        default=3_600.0,
        description="Between two messages of one alert; again so often until acknowledged.",
    )

    def contradictions(self) -> list[str]:
        needed, possible = _FIELDS[self.when]
        given = {f for f in _ALL if getattr(self, f) is not None}
        found = [f"{f}: is missing; a rule of kind {self.when} needs it" for f in needed - given]
        found += [
            f"{f}: has no meaning for {self.when}; remove it (it takes "
            f"{', '.join(sorted(needed | possible)) or 'nothing more'})"
            for f in given - needed - possible
        ]
        if self.when in _SHARES and (self.above or 0) >= 1:
            found.append(f"above: {self.above:g} can never be passed by a share; use 0 to 1")
        if self.when == "disk" and (self.above or 0) >= 100:
            found.append(f"above: a disk is never more than {self.above:g} % full; use less")
        return sorted(found)

    def as_json(self) -> dict[str, Any]:
        """What the core reads: nothing that it assumes anyway."""
        found = self.model_dump(mode="json", exclude_defaults=True)
        if self.when in _SHARES:
            found.setdefault("at_least", 20)
        if self.when in _WAITS_S:
            found.setdefault("for_s", _WAITS_S[self.when])
        return found


_ALL = ("above", "for_s", "window_s", "at_least", "days", "camera", "label")


class Webhook(Record):
    """An HTTP POST with a JSON object."""

    url: Annotated[str, Field(pattern=r"^https?://[^@\s/]+(/[^@\s]*)?$")] | None = Field(
        default=None, description="Address, without a user or password in it."
    )
    url_file: AbsolutePath | None = Field(
        default=None, description="File on the device that holds an address which is a secret."
    )
    token_file: AbsolutePath | None = Field(
        default=None, description="File on the device with a token, sent as `Bearer`."
    )
    token_env: SecretVariable | None = Field(
        default=None, description="Instead: a variable of the core's environment."
    )

    def contradictions(self) -> list[str]:
        found = _one_of(self, "url", "url_file", needed=True)
        found += _one_of(self, "token_file", "token_env")
        token = self.token_file or self.token_env
        if token and self.url and self.url.startswith("http:") and not _is_loopback(self.url):
            found.append(f"url: {self.url} would carry the token in the clear; use https://")
        return found


class Mail(Record):
    """A mail by an SMTP server."""

    host: Host = Field(description="SMTP server.")
    port: Port = Field(default=587, description="587 with starttls, 465 with tls.")
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none: only for a server without a password."
    )
    ca_file: _CaFile = None
    username: _Username = None
    password_file: _PasswordFile = None
    password_env: _PasswordVariable = None
    sender: MailAddress = Field(description="Address it comes from.")
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=10)] = Field(
        description="Addresses that get it."
    )

    def contradictions(self) -> list[str]:
        found = _one_of(self, "password_file", "password_env")
        secret = self.password_file or self.password_env
        if (self.username is None) != (secret is None):
            found.append("username and password_file (or password_env) belong together")
        if secret and self.tls == "none":
            found.append("tls: none would send the password in the clear; use starttls or tls")
        return found


class Broker(Record):
    """A message on a topic of an MQTT broker of the plant."""

    host: Host = Field(description="Broker.")
    port: Port = Field(default=1883, description="8883 with tls.")
    topic: Annotated[str, Field(pattern=r"^[^#+\x00]{1,256}$")] = Field(
        description="Topic that it is published on, QoS 1."
    )
    tls: bool = Field(default=False, description="Whether the connection is TLS.")
    ca_file: _CaFile = None
    username: _Username = None
    password_file: _PasswordFile = None
    password_env: _PasswordVariable = None

    def contradictions(self) -> list[str]:
        found = _one_of(self, "password_file", "password_env")
        if (self.password_file or self.password_env) and self.username is None:
            found.append("username: is missing; a password is nothing without it")
        return found


class Ways(Record):
    """How people are told; each of them gets every alert."""

    webhook: Webhook | None = Field(default=None, description="An HTTP POST.")
    mail: Mail | None = Field(default=None, description="A mail.")
    mqtt: Broker | None = Field(default=None, description="An MQTT message.")


class Alerts(Record):
    """Rules, judged by the embedded core once a second."""

    rules: Annotated[tuple[AlertRule, ...], Field(max_length=20)] = Field(
        default=(), description="Reasons to call somebody."
    )
    to: Ways = Field(default=Ways(), description="How; none: only on the page and in the metrics.")

    def contradictions(self) -> list[str]:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        found = [f"rules: {', '.join(twice)} given twice; use each name once"] if twice else []
        size = len(self.variable().encode())
        if size > MAX_VARIABLE_BYTES:
            found.append(
                f"rules: they are {size} bytes in the group, limit {MAX_VARIABLE_BYTES}; "
                "use fewer rules or shorter names"
            )
        return found

    def variable(self) -> str:
        """FANFOLD_ALERTS; "" without rules and ways."""
        to = {
            name: way.model_dump(mode="json", exclude_none=True)
            for name in Ways.model_fields
            if (way := getattr(self.to, name)) is not None
        }
        if not self.rules and not to:
            return ""
        given = {"rules": [rule.as_json() for rule in self.rules], "to": to}
        return json.dumps(given, separators=(",", ":"), ensure_ascii=False)


def _one_of(record: Record, first: str, second: str, *, needed: bool = False) -> list[str]:
    given = [name for name in (first, second) if getattr(record, name) is not None]
    if len(given) == 2:
        return [f"{first} and {second}: give one of them"]
    return [f"{first}: is missing; give it, or {second}"] if needed and not given else []


def _is_loopback(url: str) -> bool:
    host = url.split("/")[2].rpartition(":")[0] or url.split("/")[2]
    return host in {"localhost", "127.0.0.1", "[::1]"}
