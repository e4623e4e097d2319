"""`fanfold run --group`: what of a foreign group will not be honoured, before it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_site import DEVICE_PYTHON, Site, arn_of

from edgecore.core.options import Options
from fanfold.common.errors import UserError
from fanfold.localcore.unsupported import not_honoured, review


def _options(site: Site) -> Options:
    path = site.folder / "group.json"
    path.write_text(json.dumps(site.document))
    return Options(
        group=str(path),
        state=Path(site.state),
        mqtt_port=None,
        pythons={"python3.8": str(DEVICE_PYTHON)},
    )


def test_a_group_that_is_honoured_whole_has_no_sentence(site: Site) -> None:
    site.function("f", "def handler(event, context):\n    pass\n")
    assert not_honoured(_options(site)) == []


def test_strict_refuses_a_group_of_which_something_is_not_honoured(site: Site, capsys: Any) -> None:
    site.function("f", "def handler(event, context):\n    pass\n")
    next(iter(site.document["Lambdas"].values()))["Runtime"] = "java8"
    site.connect("cloud", "cmd/#", "f")
    review(_options(site), strict=False)
    printed = " ".join(capsys.readouterr().err.split())
    assert "java8" in printed
    assert "publish --as cloud" in printed
    with pytest.raises(UserError, match="2 things"):
        review(_options(site), strict=True)


def test_a_subscription_that_nothing_can_pass_is_said(site: Site) -> None:
    site.function("f", "def handler(event, context):\n    pass\n")
    site.connect("f", "a/#/b", "cloud")
    site.connect("f", "a", "arn:aws:iot:us-east-1:123456789012:thing/ghost")
    site.connect(arn_of("f").replace(":live", ":7"), "b", "GGShadowService")
    filters, ghost, other = not_honoured(_options(site))
    assert "'0': its subject is no topic filter" in filters
    assert "'1': its target arn:aws:iot:us-east-1:123456789012:thing/ghost is no" in ghost
    assert "'2': its source" in other


def test_what_this_machine_was_not_given_is_said_before_the_start(site: Site) -> None:
    site.function("f", "def handler(event, context):\n    pass\n")
    site.document["Core"]["SyncShadow"] = True
    arn = "arn:aws:iot:us-east-1:123456789012:thing/lamp"
    site.document["Devices"] = [{"Id": "lamp", "ThingArn": arn, "CertificateArn": "cert/0"}]
    found = " ".join(not_honoured(replace(_options(site), mqtt_port=0)))
    assert "devices without a certificate here: lamp" in found
    assert "SyncShadow of t-core" in found
