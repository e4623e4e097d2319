"""Beyond loopback only with TLS and users, else refused with the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgecore.core.options import CoreError, Web
from edgecore.people.roles import Role
from edgecore.people.users import Users
from edgecore.web.access.listening import listening_of

LAN = "192.0.2.5:8443"
LOCAL = "127.0.0.1:0"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    Users(tmp_path).add("ada", Role.ADMIN, None)
    return tmp_path


def test_nothing_is_listened_on_unless_asked(state: Path) -> None:
    assert listening_of(Web(), state) is None


@pytest.mark.parametrize("address", [LAN, "0.0.0.0:8443", LOCAL, "[::]:8443", "press7.local:8443"])
def test_without_users_every_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="fanfold user add SITE NAME --role admin") as refused:
        listening_of(Web(listen=address), tmp_path)

    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"listen": LAN, "no_tls": True}, "in plain text"),
        ({"listen": "0.0.0.0:8443", "no_tls": True}, "in plain text"),
        ({"listen": "0.0.0.0"}, "ADDRESS:PORT"),
        ({"listen": ":8443"}, "ADDRESS:PORT"),
        ({"listen": "127.0.0.1:99999"}, "ADDRESS:PORT"),
        ({"listen": LOCAL, "trust_header": "X-User"}, "belong together"),
        ({"listen": LOCAL, "trust_from": ("10.0.0.2",)}, "belong together"),
        ({"listen": LOCAL, "trust_header": "X-User", "trust_from": ("proxy",)}, "proxy's address"),
        ({"listen": LOCAL, "key": Path("k.pem")}, "both or neither"),
        ({"listen": LOCAL, "key": Path("k.pem"), "certificate": Path("c.pem")}, "PEM certificate"),
        ({"no_tls": True}, "which is missing"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_remedy(
    given: dict[str, Any], said: str, state: Path
) -> None:
    with pytest.raises(CoreError, match=said) as refused:
        listening_of(Web(**given), state)

    assert refused.value.exit_code == 2


def test_the_cores_own_certificate_has_every_name_that_is_listened_for(state: Path) -> None:
    web = Web(listen="0.0.0.0:8443", names=("press7.local",))
    first, again = (listening_of(web, state) for _ in range(2))

    assert first is not None
    assert again is not None
    assert {"press7.local", "127.0.0.1", "localhost"} <= first.names
    assert first.tls is not None
    assert first.tls == again.tls
    assert first.url(8443).startswith("https://")


def test_behind_a_proxy_on_this_machine_plain_http_is_allowed(state: Path) -> None:
    web = Web(listen=LOCAL, no_tls=True, trust_header="X-User", trust_from=("127.0.0.1",))
    found = listening_of(web, state)

    assert found is not None
    assert found.tls is None
    assert found.proxy is not None
    assert found.proxy.header == "x-user"
