"""Is a model older than the one that is deployed? A site goes back only when asked to.

Name and version stand in the object's metadata and in its key, both written by
`fanfold model publish`; of any other object nothing is known, and nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from fanfold.cloud.access import Access
from fanfold.common.errors import INVALID, UserError
from infra.planning import Site

OPTION = "--allow-older-model"
_KEY = re.compile(
    r"models/(?P<name>[^/]+)/(?P<version>[^/]+)-[0-9a-f]{16}(?:[0-9a-f]{48})?\.tar\.gz$"
)


@dataclass(frozen=True)
class Model:
    """What a package says of itself; `version` None where it cannot be ordered."""

    name: str
    text: str

    @property
    def version(self) -> Version | None:
        try:
            return Version(self.text)
        except InvalidVersion:
            return None


def identify(access: Access, uri: str) -> Model | None:
    """The model at an S3 URI, or None: nothing says what it is, or it is not there."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        written = access.client("s3").head_object(Bucket=bucket, Key=key).get("Metadata", {})
    except (ClientError, BotoCoreError):
        written = {}
    if "model-name" in written and "model-version" in written:
        return Model(written["model-name"], written["model-version"])
    found = _KEY.search(uri)
    return Model(found["name"], found["version"]) if found else None


def refuse_older(before: Model | None, after: Model | None, *, allowed: bool) -> None:
    """Raises UserError where `after` is an older version of the model `before`."""
    if allowed or before is None or after is None or before.name != after.name:
        return
    old, new = before.version, after.version
    if old is not None and new is not None and new < old:
        raise UserError(
            f"model {after.name}: {after.text} is older than {before.text}, which is deployed. "
            f"Nothing was changed. To deploy the older one anyway, add {OPTION}",
            INVALID,
        )


def model_uri(document: Mapping[str, Any]) -> str:
    """The S3 URI of a group's model; empty without one."""
    for resource in document.get("Resources", []):
        data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
        if data:
            return str(data["S3Uri"])
    return ""


def model_beside_file(site: Site, deployed: Site, file: Path) -> str:
    """What to do where a deployment's model is not the one in the site's file; "": it is."""
    if deployed.model.s3_uri == site.model.s3_uri:
        return ""
    return (
        f"{file.name} still names {site.model.s3_uri or 'no model'}: write {deployed.model.s3_uri} "
        "there (model: s3_uri:), or `fanfold diff` and `fanfold sites` show a drift, and the next "
        "deployment without --model goes back to the file's"
    )
