"""Whose certificate is it? A group that names another thing's certificate locks its own out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.common.errors import INVALID, UserError

PLACEHOLDER = "0" * 56
"""Of the ARN of a thing that was never provisioned (docs/decisions/0012)."""


def refuse_foreign(
    access: Access, things: Mapping[str, str], site: str, *, gone: bool = False
) -> None:
    """Raises UserError for a certificate that is another thing's, gone, inactive or elsewhere.

    `things`: thing → certificate ARN, as the group will name them. `gone`: one that is not
    there or not active any more is right, because it is about to be made anew.
    """
    owners: dict[str, str] = {}
    for thing, arn in things.items():
        if f"cert/{PLACEHOLDER}" in arn:
            continue
        if arn in owners:
            raise _wrong(thing, arn, f"is also the certificate of {owners[arn]}", site)
        owners[arn] = thing
        _refuse_one(access, thing, arn, site, gone=gone)


def _refuse_one(access: Access, thing: str, arn: str, site: str, *, gone: bool) -> None:
    client: Any = access.client("iot")
    region = arn.split(":")[3] if arn.count(":") >= 5 else ""
    if region != access.region:
        raise _wrong(
            thing, arn, f"is of region {region or '?'}, but the site is in {access.region}", site
        )
    with explained(access, f"certificate of {thing}"):
        try:
            found = client.describe_certificate(certificateId=arn.rpartition("/")[2])
        except client.exceptions.ResourceNotFoundException:
            if gone:
                return
            raise _wrong(thing, arn, f"is not in {access.where}", site) from None
        attached = client.list_principal_things(principal=arn)["things"]
    status = found["certificateDescription"]["status"]
    if status != "ACTIVE" and not gone:
        raise _wrong(thing, arn, f"is {status}", site)
    if attached and thing not in attached:
        raise _wrong(thing, arn, f"belongs to thing {', '.join(attached)}", site)


def _wrong(thing: str, arn: str, problem: str, site: str) -> UserError:
    return UserError(
        f"certificate {arn} of thing {thing} {problem}. Nothing was changed. Issue {thing} its "
        f"own certificate: remove its line from certificates/{site}.json, then fanfold "
        f"provision {site}",
        INVALID,
    )
