"""`fanfold run --group`: what of a foreign group will not be honoured, before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_site import DEVICE_PYTHON, Site

from edgecore.core.options import Options
from fanfold.common.errors import UserError
from fanfold.localcore.foreign import not_honoured, review


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
