"""What a core runs that is a component: what is offered, else what ran last, else nothing."""

from __future__ import annotations

import logging

from edgecore import deploy
from edgecore.components.offers import (
    OfferRefused,
    Places,
    load_offer,
    read_json,
    read_offer,
    thing_of,
)
from edgecore.core.options import Options
from edgecore.daemon.waiting_group import waiting_group
from edgecore.disk import layout
from edgecore.sources import LoadedGroup, SourceError
from edgecore.sources.errors import MISSING
from edgecore.sources.load import loaded
from edgecore.uplink.iot.identity import Identity, Pem

log = logging.getLogger(__name__)


def offered_or_last(options: Options) -> LoadedGroup:
    """Raises SourceError where not even this device's name is known."""
    places = Places.of(options)
    last = deploy.current(options.state)
    if (offer := read_offer(places)) is not None:
        try:
            found = load_offer(places, offer, options.state)
        except OfferRefused as error:
            log.warning("components: %s", error)
        else:
            refusal = deploy.refused(options.state)
            if refusal is None or refusal.deployment != found.deployment_id:
                return found
    return last or _waiting(places, options)


def _waiting(places: Places, options: Options) -> LoadedGroup:
    group = places.core / "group.json"
    content, thing = read_json(group), thing_of(group)
    if not thing:
        raise SourceError(
            f"{group}: names no thing, and AWS_IOT_THING_NAME is not set; deploy the Core "
            "component again",
            exit_code=MISSING,
        )
    identity = Identity(
        thing=thing, host="", certificate=Pem(), key=Pem(), site=str(content.get("Name") or ""),
        region=str(content.get("Region") or ""),
    )  # fmt: skip
    document = waiting_group(identity)
    return loaded(document, state=options.state, folder=layout.stage(options.state, document))
