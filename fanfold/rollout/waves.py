"""Which sites are told when: one canary site, then growing shares of all."""

from __future__ import annotations

from collections.abc import Sequence

Wave = tuple[str, ...]
SHARES = (10, 30, 100)
"""Per cent of all sites that have been told when each wave after the canary is through."""


def deal(sites: Sequence[str], canary: str | None, shares: Sequence[int] = SHARES) -> list[Wave]:
    """Every site in exactly one wave, none empty: the canary, then up to each share.

    `canary` None: the first of `sites`. Raises ValueError for a canary that is none of them
    and for shares that do not grow to 100.
    """
    if sorted(set(shares)) != list(shares) or not shares or shares[-1] != 100 or shares[0] < 1:
        raise ValueError(f"{','.join(map(str, shares))}: shares grow from 1 and end at 100")
    if canary is not None and canary not in sites:
        raise ValueError(f"{canary}: is none of the sites that are to change")
    if not sites:
        return []
    first = canary or sites[0]
    rest = [site for site in sites if site != first]
    waves: list[Wave] = [(first,)]
    given = 0
    for share in shares:
        # Of all sites, rounded up, the canary counted.
        until = max(given, -(-len(sites) * share // 100) - 1)
        if until > given:
            waves.append(tuple(rest[given:until]))
        given = until
    return waves
