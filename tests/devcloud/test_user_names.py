"""Names that are the user's own keep their letters on the way from CloudFormation to the API."""

from __future__ import annotations

from devcloud.plugin.resource import as_api


def test_attributes_of_a_thing_group_keep_their_names() -> None:
    given = {"AttributePayload": {"Attributes": {"Line": "3", "Hall": "North"}}}

    assert as_api(given) == {"attributePayload": {"attributes": {"Line": "3", "Hall": "North"}}}


def test_components_keep_their_names_and_what_is_in_them_does_not() -> None:
    given = {"Components": {"Shop.Core": {"ComponentVersion": "1.0.0"}}}

    assert as_api(given) == {"components": {"Shop.Core": {"componentVersion": "1.0.0"}}}
