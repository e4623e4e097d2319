"""The things of a group: the core, the cameras, the console; or a group of boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_iot as iot
from constructs import Construct


class Things(Construct):
    """One thing each; certificates are made by `fanfold provision`, never by a template."""

    def __init__(self, scope: Construct, construct_id: str, *, document: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        if group := document.get("Target", {}).get("Group"):
            # Its boxes come and go; `fanfold provision` makes them and puts them in.
            self.group = iot.CfnThingGroup(self, "Group", thing_group_name=group)
            return
        self.things = [
            iot.CfnThing(self, entry["Id"], thing_name=entry["ThingName"])
            for entry in [document["Core"], *document["Devices"]]
        ]
