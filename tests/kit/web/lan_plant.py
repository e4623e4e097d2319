"""A core on the local network: a port with TLS, three users, and a plain client that asks it."""

from __future__ import annotations

import json
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from core_site import Site

from edgecore.people.roles import Role
from edgecore.people.sessions import Sessions
from edgecore.people.users import Users

PASSWORD = "correct horse battery"
ROLES = {"vera": Role.VIEWER, "oskar": Role.OPERATOR, "ada": Role.ADMIN}


class Plant:
    """A core that listens with TLS; it may end and start again, on the same ports."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder)
        self.site.document["Devices"] = [_thing("t-console"), _thing("t-belt")]
        self.site.connect("cloud", "belt/speed", _thing("t-belt")["ThingArn"])
        self.users = Users(self.site.state)
        for name, role in ROLES.items():
            self.users.add(name, role, PASSWORD)
        self.port = 0

    def start(self) -> None:
        self.site.start("--listen", f"127.0.0.1:{self.port}", "--http-name", "press7.local")
        self.port = self.facts["listen"]["port"]

    @property
    def facts(self) -> dict[str, Any]:
        return json.loads((self.site.state / "core.json").read_text())

    @property
    def ca(self) -> Path:
        return self.site.state / "ca" / "group-ca.pem"

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """A plain client that trusts the group CA."""
        connection = HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, context=ssl.create_default_context(cafile=self.ca)
        )
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def log_in(self, name: str, password: str = PASSWORD, **more: str) -> tuple[int, str, str]:
        """Status, cookie, message."""
        given = {"name": name, "password": password}
        status, headers, body = self.ask("POST", "/api/login", given, Origin=self.origin, **more)
        return status, headers.get("set-cookie", ""), json.loads(body)["message"]

    def token(self, name: str) -> str:
        user = self.users.get(name)
        assert user is not None
        return "Bearer " + Sessions(self.site.state, self.users).open(user, kind="token", days=1)


def _thing(name: str) -> dict[str, Any]:
    arn = f"arn:aws:iot:us-east-1:123456789012:thing/{name}"
    return {"Id": name, "ThingName": name, "ThingArn": arn, "SyncShadow": False,
        "CertificateArn": "arn:aws:iot:us-east-1:123456789012:cert/" + "0" * 64}  # fmt: skip
