"""Which cameras the boxes of a site have by the cloud's word, and which ones move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contract.topics import Topics
from fanfold.cloud.access import Access
from fanfold.cloud.deployed import read_document, read_site_deployed
from fanfold.common import output
from infra.planning import Site


def givers_first(access: Access, boxes: Sequence[Site]) -> list[tuple[Site, list[str]]]:
    """The boxes in the order in which they are deployed, each with the cameras that leave it.

    A camera leaves before it arrives: a box that no longer has it takes no more of its images, so
    the other one's first image is later than this one's last.
    """
    found = []
    for box in boxes:
        gone = _deployed_streams(access, box) - {camera.name for camera in box.cameras}
        found.append((box, sorted(gone)))
        for camera in sorted(gone):
            taker = next((b.name for b in boxes if camera in {c.name for c in b.cameras}), None)
            if taker is not None:
                output.note(f"camera {camera} moves from {box.name} to {taker}")
    return sorted(found, key=lambda each: not each[1])


def _deployed_streams(access: Access, box: Site) -> set[str]:
    deployed = read_site_deployed(access, box)
    if deployed is None or deployed.current is None:
        return set()
    return streams_of(read_document(access, deployed, deployed.current), box.name)


def streams_of(document: Mapping[str, Any], site: str) -> set[str]:
    """The cameras of a group document, by what they may publish on."""
    prefix = Topics(site).images_prefix
    subjects = {each["Subject"] for each in document["Subscriptions"]}
    rests = {subject.removeprefix(prefix) for subject in subjects if subject.startswith(prefix)}
    return {rest for rest in rests if "/" not in rest and rest != "+"}
