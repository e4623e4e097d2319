from __future__ import annotations

from pathlib import Path

import groups
import pytest

from edgecore.sources.document import to_group
from edgecore.uplink.settings import SpoolSettings, spool_settings


def _settings(**variables: str) -> SpoolSettings:
    spooler = {
        "Id": "spooler",
        "FunctionArn": "arn:aws:lambda:::function:GGCloudSpooler:1",
        "FunctionConfiguration": {
            "Executable": "spooler",
            "Pinned": True,
            "Environment": {"Variables": variables},
        },
    }
    document = groups.document()
    document["Functions"].append(spooler)
    return spool_settings(to_group(document, base=Path("/")))


def test_without_a_spooler_function_v1s_defaults_hold() -> None:
    group = to_group(groups.document(), base=Path("/"))

    assert spool_settings(group) == SpoolSettings(durable=False, max_bytes=2_500_000)


def test_the_groups_own_words_count() -> None:
    found = _settings(GG_CONFIG_STORAGE_TYPE="FileSystem", GG_CONFIG_MAX_SIZE_BYTES="262144")

    assert found == SpoolSettings(durable=True, max_bytes=262_144)


@pytest.mark.parametrize("size", ["262143", "-1", "2 MB", "", "١٢٣٤٥٦٧"])
def test_a_size_that_v1_refuses_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match="at least 262144"):
        _settings(GG_CONFIG_MAX_SIZE_BYTES=size)


def test_an_unknown_storage_is_refused() -> None:
    with pytest.raises(ValueError, match="Memory or FileSystem"):
        _settings(GG_CONFIG_STORAGE_TYPE="Disk")
