"""SITE is the first word of every verb, also of one that takes other words after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import core_state, further_cores, root, state_dir
from fanfold.localcore import running


def site_and_words(words: Sequence[str], site: str | None) -> tuple[str | None, list[str]]:
    """The site that was meant, and the words that are left.

    `site`: of `--site`. Without one the first word is the site where a site or a core has
    that name; what is not one is a word of the verb's own.
    """
    given = list(words)
    if site is None and given and is_site(given[0]):
        return given[0], given[1:]
    return site, given


def one_or_none(words: Sequence[str], what: str) -> str | None:
    """Raises UserError: there are more."""
    if len(words) > 1:
        raise UserError(
            f"{' '.join(words)}: one {what} at most; a site before it is one of sites/*.yaml, or "
            "of a core that has run here",
            INVALID,
        )
    return words[0] if words else None


def is_site(word: str) -> bool:
    """Whether a site file, or a core that runs or ran here, has this name."""
    if not word or "/" in word or word.startswith("."):
        return False
    return (root() / "sites" / f"{word}.yaml").is_file() or core_state(word).is_dir()


def only_site() -> str:
    """The site whose core runs here, else the only one that there is, started or not.

    Raises UserError (exit code 2) where the choice is not clear.
    """
    here = [core.state.name for core in running.all_running()]
    if len(here) != 1:
        here = sorted({*here, *_all_names()})
    if len(here) == 1:
        return here[0]
    known = f"there are several sites: {', '.join(here)}" if here else "there is no site here"
    raise UserError(f"{known}. Pass the site.", INVALID)


def _all_names() -> Iterator[str]:
    """Of site files, with each further box, and of cores that ran here."""
    for file in (root() / "sites").glob("*.yaml"):
        yield file.stem
        yield from (f"{file.stem}-{core}" for core in further_cores(file))
    yield from (path.name for path in (state_dir() / "core").glob("*") if path.is_dir())
