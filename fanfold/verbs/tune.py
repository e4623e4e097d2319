"""`fanfold tune`: the best setting for a site, measured on the device and written into its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fanfold.common import output
from fanfold.common.arguments import SITE_OR_FILE
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.common.project import profiles, read_site, site_file
from fanfold.tune.forecast import FINAL_ROUNDS, FINALISTS, Forecast, duration
from fanfold.tune.outcome import Outcome, middle
from fanfold.tune.prepare import trials_of
from fanfold.tune.progress import clearing
from infra.planning import InvalidInput, Profile

if TYPE_CHECKING:
    from fanfold.tune.search import Found, Measured, Point
    from fanfold.tune.trial import Trials


def register(app: typer.Typer) -> None:
    app.command("tune")(tune)


def tune(
    site: str = SITE_OR_FILE,
    images: Path = typer.Option(help="Folder of images like those of the line."),
    model: list[Path] = typer.Option(
        help="Model package (.tar.gz); repeat for other versions of it, such as compiled or int8."
    ),
    latency_ms: float = typer.Option(
        float("inf"), min=0.1, help="p99 from publish to ordered result that must not be exceeded."
    ),
    seconds: float = typer.Option(5.0, min=0.5, help="Measuring time of one setting."),
    bucket: str | None = typer.Option(
        None, help="Where the winning package is published: then its URI is written, too."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Measure and explain, write nothing."),
    as_json: bool = typer.Option(False, "--json", help="Everything as one JSON object."),
) -> None:
    """Measure settings on this device and write the fastest that keeps the latency into the site.

    Workers, threads (or copies on each GPU, or transforms), batch, window and package are searched
    with the real core; the fastest few are measured again before one is chosen. It prints first how
    long that takes; settings near the memory's limit are not started; ctrl-C leaves nothing.
    Exit code 1: no setting keeps the latency.
    Example: fanfold tune line-3 --images photos/ --model lite0-1.0.0.tar.gz --latency-ms 200
    """
    settings, profile = read_site(site)
    trials, expected = trials_of(site, settings, profile, images, model, seconds)
    output.note(_before(trials, expected))
    with clearing(trials.work):
        found = _search(trials, latency_ms)
        if found.best is None:
            raise UserError(_nothing(found, trials, latency_ms), FAILED)
        best, final = _final(found, trials, latency_ms)
    values = _values(trials, best, profile, bucket)
    if not dry_run:
        _write(site_file(site), values)
    outcome = Outcome(found, trials, best, final, values, written=not dry_run)
    if as_json:
        output.print_json(outcome.as_data())
        return
    for line in outcome.lines():
        output.out.print(line, markup=False)


def _before(trials: Trials, expected: Forecast) -> str:
    again = f", the fastest again ({expected.again} runs)" if expected.again else ""
    return (
        f"about {duration(expected.seconds)}: some {expected.settings} of {trials.space.size} "
        f"settings, {expected.trial_s:.0f} s each{again}. Ctrl-C ends it and changes nothing"
    )


def _search(trials: Trials, latency_ms: float) -> Found:
    from fanfold.tune.search import search

    return search(trials.space.axes, trials, latency_ms)


def _final(
    found: Found, trials: Trials, latency_ms: float
) -> tuple[Point, dict[Point, list[Measured]]]:
    """Measure the fastest few again, in turn: one lucky run must not decide."""
    points = found.finalists(FINALISTS, latency_ms)
    rounds: dict[Point, list[Measured]] = {point: [found.tried[point]] for point in points}
    if len(points) > 1:
        output.note(f"the {len(points)} fastest again, in turn")
        for _ in range(FINAL_ROUNDS):
            for point in points:
                rounds[point].append(trials(point))
    kept = [p for p in points if middle(rounds[p])[1] <= latency_ms] or points[:1]
    return max(kept, key=lambda point: middle(rounds[point])[0]), rounds


def _values(
    trials: Trials, best: Point, profile: Profile, bucket: str | None
) -> dict[str, int | str]:
    """Keys of the site's file."""
    named = trials.space.named(best)
    package = trials.packages[named.pop("package")]
    values: dict[str, int | str] = {k: v for k, v in named.items() if k != "transforms" or v}
    if profile.accelerators:
        values.pop("threads")
    if bucket:
        from models.package import inspect

        values["model.s3_uri"] = f"s3://{bucket}/{inspect(package).key}"
    return values


def _write(path: Path, values: dict[str, int | str]) -> None:
    from fanfold.tune.write import write_values

    try:
        write_values(path, values, profiles())
    except InvalidInput as error:
        raise UserError("\n".join(map(str, error.findings)), INVALID) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Nothing was written.", FAILED) from error


def _nothing(found: Found, trials: Trials, latency_ms: float) -> str:
    reached = [latency for rate, latency in found.tried.values() if rate]
    if not reached:
        reasons = "\n".join(dict.fromkeys(trials.refusals.values()))
        return f"every setting tried is refused:\n{reasons}"
    return (
        f"no setting keeps p99 ≤ {latency_ms:g} ms; the lowest of {len(reached)} measured is "
        f"{min(reached):.0f} ms. Allow more, or use a faster package (`fanfold model compile`). "
        "Nothing was written."
    )
