"""The group by Greengrass V2 components: what they offer in files is loaded, judged, answered."""

PREFIX = "components:"
"""``--group components:FOLDER``: the Core component's work folder (docs/spec/components.md)."""


def by_components(group: str) -> bool:
    """Whether this ``--group`` comes by components."""
    return group.startswith(PREFIX)
