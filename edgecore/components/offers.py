"""What the components offer: the group and code of this core's version, and a model package."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.model_pin import pin_document, pinned_digest
from edgecore.components import PREFIX
from edgecore.core.options import Options
from edgecore.jobs.artifacts import ArtifactFailed
from edgecore.jobs.document import Artifact, Code, JobDocument, JobRefused
from edgecore.jobs.staging import THING_MARK, read_group, stage
from edgecore.sources import LoadedGroup, SourceError

FORMAT = 1


class OfferRefused(Exception):  # noqa: N818
    """What is offered cannot run here: one sentence for the Model component's log."""


@dataclass(frozen=True)
class Offer:
    """``path``: a model package on this disk. ``nonce``: of this very offer, for its answer."""

    path: Path
    nonce: str


@dataclass(frozen=True)
class Places:
    """Below the Core component's work folder."""

    work: Path

    @classmethod
    def of(cls, options: Options) -> Places:
        return cls(Path(options.group[len(PREFIX) :]))

    @property
    def core(self) -> Path:
        """The files of the version that the launcher started."""
        return self.work / "versions" / os.environ.get("FANFOLD_VERSION", "") / "core"

    @property
    def verdict(self) -> Path:
        return self.work / "offers" / "verdict.json"

    @property
    def model(self) -> Path:
        return self.work / "offers" / "model.json"


def read_offer(places: Places) -> Offer | None:
    """The model that is offered; None before the first, or while it is written."""
    content = read_json(places.model)
    if content.get("v") != FORMAT or not content.get("path"):
        return None
    return Offer(Path(str(content["path"])), str(content.get("nonce")))


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def thing_of(group: Path) -> str:
    """This device's thing: the nucleus says it; else the group's own."""
    core = read_json(group).get("Core") or {}
    named = str(core.get("ThingName") or "")
    return os.environ.get("AWS_IOT_THING_NAME") or (named if named != THING_MARK else "")


def load_offer(places: Places, offer: Offer, state: Path) -> LoadedGroup:
    """Unpack what is offered beside what runs. Blocking. Raises OfferRefused."""
    group, lambdas = places.core / "group.json", places.core / "lambdas.zip"
    try:
        digests = [_sha256(path) for path in (group, lambdas, offer.path)]
    except OSError as error:
        raise OfferRefused(f"{error.filename}: cannot be read ({error.strerror}); deploy the "
            "component again") from error  # fmt: skip
    name, pinned = offer.path.name, pinned_digest(offer.path.name) or ""
    if pinned not in ("", digests[2]):
        raise OfferRefused(f"{name}: the package's SHA-256 is {digests[2]}, not the one in its "
            "name; publish it again (fanfold model publish)")  # fmt: skip
    identity = "components-" + hashlib.sha256("".join([*digests, pinned]).encode()).hexdigest()[:20]
    artifacts = [
        Artifact(what=path.name, uri=f"file://{path}", sha256=digest)
        for path, digest in zip((group, lambdas, offer.path), digests, strict=True)
    ]
    document = JobDocument(
        site="", issued_at=1.0, group=artifacts[0], model=artifacts[2], per_thing=True
    )
    try:
        content = read_group(group, document, thing_of(group))
        pin_document(content, name)
        arns = tuple(content.get("Lambdas") or {})
        document = JobDocument(
            site="", issued_at=1.0, group=artifacts[0], model=artifacts[2], per_thing=True,
            code=(Code(arns=arns, artifact=artifacts[1]),),
        )  # fmt: skip
        files = {digests[1]: lambdas, digests[2]: offer.path}
        return stage(state, content, document, files, identity)
    except (JobRefused, ArtifactFailed, SourceError) as error:
        raise OfferRefused(str(error)) from error
    except OSError as error:
        raise OfferRefused(f"{name}: its group cannot be kept in {state} ({error.strerror}); free "
            "space there and deploy again") from error  # fmt: skip


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
