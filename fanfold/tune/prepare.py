"""What measures settings of a site, where this machine can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.inputs import hooks_of, images_of
from fanfold.common.project import state_dir
from fanfold.tune.memory import Memory
from infra.planning import Profile, Site

if TYPE_CHECKING:
    from fanfold.tune.forecast import Forecast
    from fanfold.tune.trial import Trials


def trials_of(  # noqa: PLR0913, PLR0917 - as the verb's options
    site: str, settings: Site, profile: Profile, images: Path, models: list[Path], seconds: float
) -> tuple[Trials, Forecast]:
    """What measures settings of this site, and for how long it will.

    Raises UserError where that cannot be done here.
    """
    from bench.group import Machine
    from fanfold.tune.forecast import forecast
    from fanfold.tune.progress import Progress
    from fanfold.tune.space import space_of
    from fanfold.tune.trial import Trials

    files = images_of([images])
    _on_the_device(profile)
    footprint = _footprint(models[0], settings)
    space = space_of(settings, profile, footprint, len(models))
    machine = Machine(
        profile.model_dump(mode="json", exclude={"name", "containers"}),
        {"transform": settings.transform, **({"hooks": h} if (h := settings.hooks) else {})},
        hooks_of(site, settings.hooks),
    )
    work = state_dir() / "tune" / settings.name
    expected = forecast(space, profile, footprint, seconds)
    return Trials(
        work.absolute(), space, models, files, machine, settings.strategy, seconds,
        Progress(expected), _memory(profile, footprint),
    ), expected  # fmt: skip


def _memory(profile: Profile, footprint: Any) -> Memory:
    import psutil

    available_kb = psutil.virtual_memory().available / 1024
    return Memory.of(
        profile.usable_memory_kb, available_kb, footprint.memory_kb if footprint else 0
    )


def _on_the_device(profile: Profile) -> None:
    """A profile of other hardware cannot be measured here."""
    import psutil

    from fanfold.detect.gpus import find_gpus

    here = psutil.cpu_count() or 1
    gpus = len(find_gpus(Path("/"), 0)[0])
    if profile.cpu_cores > here or len(profile.gpus) > gpus:
        raise UserError(
            f"profile {profile.name} has {profile.cpu_cores} cores and "
            f"{len(profile.gpus)} GPUs, "
            f"this machine {here} and {gpus}: run `fanfold tune` on the device itself, or name "
            "this machine's profile in the site (`fanfold detect`).",
            MISSING,
        )


def _footprint(package: Path, settings: Site) -> Any:
    from infra.planning import Footprint
    from lambdas.model.spec import ModelError
    from models.package import inspect

    if not package.is_file():
        raise UserError(f"{package}: no such model package", MISSING)
    try:
        said = inspect(package).spec.footprint
    except ModelError as error:
        raise UserError(str(error), INVALID) from error
    return Footprint.model_validate(said) if said else settings.model.footprint
