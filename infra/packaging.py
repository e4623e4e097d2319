"""The zip that every function of every site runs from: the same bytes for the same code."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LAMBDAS = PROJECT / "lambdas"
CONTRACT = PROJECT / "contract"
DEPLOYER = PROJECT / "infra" / "deployer" / "handler.py"
JOBS_DEPLOYER = ("infra/__init__.py", "infra/deployer/__init__.py", "infra/deployer/handler.py",
                 "infra/deployer/jobs.py", "infra/deployer/verdict.py")  # fmt: skip
COMPONENT = PROJECT / "device" / "component"
OFFER = COMPONENT / "offer_component.py"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can write
_UNIX = 3
_MODE = 0o644


def build_lambdas(
    target: Path, lambdas: Path = LAMBDAS, *, hooks: Mapping[str, Path] | None = None
) -> Path:
    """Write the functions' zip: `lambdas/` and `contract/` under their own names, and the SDK.

    `hooks`: the user's own files by their names in the zip (`infra.hooks.hook_files`).
    """
    files = dict(hooks or {})
    files.update(_sources(lambdas, lambdas.name))
    files.update(_sources(CONTRACT, CONTRACT.name))
    files.update(_sources(_package("greengrasssdk"), "greengrasssdk"))
    return write_zip(target, files)


def build_deployer(target: Path) -> Path:
    """Write the deployer's zip: one module, `handler`."""
    return write_zip(target, {"handler.py": DEPLOYER})


def build_jobs_deployer(target: Path) -> Path:
    """Write the zip of target iot's deployer: `infra.deployer.jobs` and what it stands on."""
    return write_zip(target, {name: PROJECT / name for name in JOBS_DEPLOYER})


def build_offer(target: Path) -> Path:
    """Write the zip by which the Runtime and the Model component speak to the Core: one file."""
    return write_zip(target, {OFFER.name: OFFER})


def build_core(target: Path, group: Path, lambdas: Path) -> Path:
    """Write the Core component of target v2: core, launcher, functions and the site's group."""
    files = {"run_component.py": COMPONENT / "run_component.py"}
    files.update({"group.json": group, "lambdas.zip": lambdas})
    for name in ("edgecore", "contract"):
        files.update(_everything(PROJECT / name, f"lib/{name}"))
    for name in ("", "launcher", "versions", "component"):
        folder = PROJECT / "device" / name
        inside = f"lib/device/{name}".rstrip("/")
        files.update({f"{inside}/{path.name}": path for path in folder.glob("*.py")})
    return write_zip(target, files, zipfile.ZIP_DEFLATED)


def content_digest(archive: Path) -> str:
    """SHA-256 over names and contents: the same whatever zlib has packed it."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(archive) as packed:
        for name in sorted(packed.namelist()):
            digest.update(name.encode() + hashlib.sha256(packed.read(name)).digest())
    return digest.hexdigest()


def write_zip(target: Path, files: dict[str, Path], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip whose bytes depend on names and contents only: sorted, undated, uncompressed.

    Uncompressed because zlib's output differs between its builds, and another byte is
    another asset, another version and another deployment. It is some 200 KB.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            entry.compress_type = compression
            archive.writestr(entry, files[name].read_bytes())
    return target


def _sources(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*.py"):
        if "__pycache__" not in path.parts:
            yield f"{prefix}/{path.relative_to(folder).as_posix()}", path


def _everything(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """With what is no Python, the page's files for one."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{prefix}/{path.relative_to(folder).as_posix()}", path


def _package(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} is not installed; run `make setup`")
    return Path(found.submodule_search_locations[0])
