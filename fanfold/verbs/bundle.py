"""`fanfold bundle`: one archive that a device is installed from, without a network."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from device.bundle.build import make_bundle, needs_wheel
from device.bundle.runtime_zip import make_runtime_zip, pack
from device.bundle.target import Target, TargetError
from device.bundle.wheels import WheelsError
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, MISSING, UserError
from fanfold.common.project import state_dir

MIB = 1024 * 1024


def register(app: typer.Typer) -> None:
    app.command("bundle")(bundle)


def bundle(
    arch: str | None = typer.Option(None, help="aarch64 or x86_64. Default: as here."),
    python: str = typer.Option("3.11", help="The device's Python: 3.10 to 3.13."),
    runtime: str = typer.Option("onnxruntime", help="onnxruntime or openvino."),
    out: Path = typer.Option(Path("build/bundles"), help="Folder to write the archive into."),
    runtime_zip: bool = typer.Option(
        False, "--runtime-zip", help="The libraries alone, for target v2's Runtime component."
    ),
    system_path: list[str] = typer.Option(
        [],
        help="With --runtime-zip: pack nothing, use this folder of the device.",
    ),
    wheel: Path | None = typer.Option(None, help="Fanfold's own wheel, outside a checkout."),
    as_json: bool = typer.Option(False, "--json", help="File, version and weights as JSON."),
) -> None:
    """Make one archive that a device is installed from: no compiler, no network needed there.

    It holds core, Lambdas, launcher, systemd units and every wheel, pinned by hash. On the device:
    tar xf ARCHIVE; cd fanfold-…; sudo ./install.sh --site line-3.join
    Example: fanfold bundle --arch aarch64 --python 3.11 --runtime onnxruntime
    """
    if runtime_zip:
        _runtime_zip(arch, python, runtime, out, system_path, as_json=as_json)
        return
    if wheel is None and needs_wheel():
        raise UserError("Fanfold's own wheel is needed here: --wheel fanfold-….whl", MISSING)
    with _explained():
        target = Target(arch or platform.machine(), python, runtime)
        with output.working("fetching wheels and packing"):
            made = make_bundle(target, out, state_dir() / "bundle", wheel)
    if as_json:
        output.print_json(
            {"v": 1, "path": str(made.path), "version": made.version, "size": made.size,
             "parts": made.parts}
        )  # fmt: skip
        return
    for part, size in made.parts.items():
        output.out.print(f"{size / MIB:7.1f} MB  {part}", markup=False)
    output.out.print(f"{made.size / MIB:7.1f} MB  {made.path}", markup=False, soft_wrap=True)


def _runtime_zip(
    arch: str | None, python: str, runtime: str, out: Path, system: list[str], *, as_json: bool
) -> None:
    """What `components.runtimes` of a site names (docs/guides/greengrass-v2.md)."""
    with _explained():
        target = Target(arch or platform.machine(), python, runtime)
        if system:
            made = pack(target, None, out, tuple(system))
        else:
            with output.working("fetching wheels and packing"):
                made = make_runtime_zip(target, out, state_dir() / "bundle")
    if as_json:
        output.print_json(
            {"v": 1, "path": str(made.path), "version": made.version, "size": made.size}
        )
        return
    output.out.print(f"{made.size / MIB:7.1f} MB  {made.path}", markup=False, soft_wrap=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Raises UserError."""
    try:
        yield
    except TargetError as error:
        raise UserError(str(error), INVALID) from error
    except WheelsError as error:
        raise UserError(str(error), FAILED) from error
