"""Another moto is noticed by a message, not by a riddle."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from devcloud.plugin import guard


def test_the_installed_moto_is_the_one_that_the_plugin_knows():
    assert version("moto") == guard.MOTO, (
        f"moto {version('moto')} is installed; check devcloud/plugin against it, then change "
        "MOTO in devcloud/plugin/guard.py"
    )


def test_every_symbol_that_the_plugin_touches_is_there():
    assert guard.missing() == [], "moto changed these; see devcloud/plugin/guard.py"


def test_a_symbol_that_is_gone_is_named():
    symbols = ("moto.s3.models:s3_backends", "moto.s3.models:Gone.method", "moto.gone:x")

    assert guard.missing(symbols) == ["moto.s3.models:Gone.method", "moto.gone:x"]


def test_another_version_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(guard, "version", lambda _: "5.3.0")

    with pytest.raises(guard.WrongMotoError, match=r"moto 5\.3\.0.*Install moto=="):
        guard.check()
