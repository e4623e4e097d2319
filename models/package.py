"""Model packages as files: pack, inspect, publish. Standard library only.

The format is docs/spec/model-package.md. Packing is reproducible: the same files give
the same bytes, so the archive's SHA-256 is the model's identity and its place in S3.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.digests import sha256_of
from lambdas.model.labels import read_labels
from lambdas.model.onnx_file import read_onnx
from lambdas.model.onnx_trust import external_files
from lambdas.model.package import sagemaker_manifest
from lambdas.model.spec import MANIFEST, ModelError, ModelSpec, parse_model

#: A package is read into a temporary folder; more than this is no edge model.
MAX_UNPACKED_BYTES = 4 << 30
#: Keys of model.json that name a file.
ROLES = ("symbol", "params", "model", "weights", "labels")


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found: the archive's own hash and the verified `model.json`."""

    path: Path
    sha256: str
    size_bytes: int
    spec: ModelSpec

    @property
    def key(self) -> str:
        """Content-addressed key: the same content is the same object.

        With the whole hash, which the core compares before it unpacks.
        """
        return f"models/{self.spec.name}/{self.spec.version}-{self.sha256}.tar.gz"


def pack(folder: Path, model: dict[str, Any], out: Path) -> Inspection:
    """Write `folder`'s files and `model` as a reproducible `tar.gz` at `out`.

    `model` is model.json; its hashes are made anew for the names under `symbol`, `params`,
    `model`, `weights` and `labels`, and for those in `files`, where any may be given
    besides. Raises `ModelError`.
    """
    document = dict(model)
    names = _named(folder, model)
    for name in sorted(names):
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing in {folder}: {MANIFEST} names it")
    document["files"] = {name: sha256_of(str(folder / name)) for name in sorted(names)}
    manifest = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    spec = parse_model(manifest)
    if "labels" in spec.roles:
        read_labels((folder / spec.roles["labels"]).read_bytes(), spec.roles["labels"])
    content = {MANIFEST: manifest}
    content.update({name: (folder / name).read_bytes() for name in sorted(names)})
    write_archive(content, out)
    return inspect(out)


def write_archive(content: dict[str, bytes], out: Path) -> None:
    """Files as a reproducible `tar.gz` at `out`, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(_archive(content))
    partial.replace(out)


def _named(folder: Path, model: dict[str, Any]) -> set[str]:
    """Every file that belongs to the package: of roles, `files`, probes, weights outside."""
    listed = model.get("files", ())
    probes = model.get("probes", ())
    names = [model[role] for role in ROLES if role in model]
    names += list(listed) if isinstance(listed, (list, dict)) else []
    names += [p.get("file") for p in probes if isinstance(p, dict)] if probes else []
    odd = next((name for name in names if not isinstance(name, str)), None)
    if odd is not None:
        raise ModelError(f"{MANIFEST}: {odd!r:.80} is no name of a file")
    network = model.get("model")
    if isinstance(network, str) and network.endswith(".onnx") and (folder / network).is_file():
        path = folder / network
        outside = external_files(read_onnx(str(path)), str(path.parent), network)
        prefix = network.rpartition("/")[0]
        names += [f"{prefix}/{name}" if prefix else name for name in outside]
    return set(names)


def inspect(path: Path) -> Inspection:
    """Verify the package at `path`: an archive, complete, every hash right.

    A SageMaker SSD artifact is accepted as it is. Raises `ModelError`.
    """
    if not path.is_file():
        what = "is a folder: pack it with `fanfold model pack`" if path.is_dir() else "no such file"
        raise ModelError(f"{path}: {what}")
    content = members(path)
    manifest = content.get(MANIFEST)
    spec = _sagemaker(path, content) if manifest is None else parse_model(manifest)
    for name, expected in sorted(spec.files.items()):
        if name not in content:
            raise ModelError(f"{path.name}: {MANIFEST} names {name}, the archive has no such file")
        found = hashlib.sha256(content[name]).hexdigest()
        if found != expected:
            raise ModelError(
                f"{path.name}: {name} has SHA-256 {found}, {MANIFEST} says {expected}: "
                "pack it again"
            )
    return Inspection(path, sha256_of(str(path)), path.stat().st_size, spec)


def publish(path: Path, bucket: str, client: Any) -> str:
    """Upload a verified package under its content-addressed key; returns the S3 URI.

    `client` is boto3's S3 client. An object that is there already is left alone.
    """
    package = inspect(path)
    uri = f"s3://{bucket}/{package.key}"
    if not _is_there(client, bucket, package):
        client.put_object(
            Bucket=bucket,
            Key=package.key,
            Body=path.read_bytes(),
            Metadata={
                "sha256": package.sha256,
                "model-name": package.spec.name,
                "model-version": package.spec.version,
            },
        )
    return uri


def _is_there(client: Any, bucket: str, package: Inspection) -> bool:
    # Listing instead of HEAD: a HEAD of what is absent is an exception whose type
    # belongs to botocore, which this module does not import.
    listed = client.list_objects_v2(Bucket=bucket, Prefix=package.key, MaxKeys=1)
    return any(
        entry["Key"] == package.key and entry["Size"] == package.size_bytes
        for entry in listed.get("Contents", [])
    )


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # Time stamps and owners are constants: they would make equal packages differ.
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(
        fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT
    ) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def members(path: Path) -> dict[str, bytes]:
    """Every file of an archive, in memory. Raises `ModelError`."""
    try:
        if zipfile.is_zipfile(str(path)):
            return _zip_members(path)
        return _tar_members(path)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
    ) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"{path.name} is not a tar.gz or zip archive ({error}): "
            "pack it with `fanfold model pack`"
        ) from None


def _tar_members(path: Path) -> dict[str, bytes]:
    content = {}
    _read_to_its_end(path)
    with tarfile.open(str(path), "r:gz") as tar:
        files = [entry for entry in tar.getmembers() if entry.isfile()]
        _check_size(path, sum(entry.size for entry in files))
        for entry in files:
            stream = tar.extractfile(entry)
            content[_plain(entry.name)] = stream.read() if stream else b""
    return content


def _read_to_its_end(path: Path) -> None:
    # tarfile stops at the last member; only gzip's own end proves the file complete.
    size_bytes = 0
    with gzip.open(str(path)) as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            size_bytes += len(chunk)
            _check_size(path, size_bytes)


def _zip_members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(str(path)) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        _check_size(path, sum(entry.file_size for entry in files))
        return {_plain(entry.filename): archive.read(entry) for entry in files}


def _plain(name: str) -> str:
    return name[2:] if name.startswith("./") else name


def _check_size(path: Path, size_bytes: int) -> None:
    if size_bytes > MAX_UNPACKED_BYTES:
        raise ModelError(f"{path.name} unpacks to {size_bytes} bytes, limit {MAX_UNPACKED_BYTES}")


def _sagemaker(path: Path, content: dict[str, bytes]) -> ModelSpec:
    with tempfile.TemporaryDirectory() as folder:
        for name, body in content.items():
            if "/" not in name:
                (Path(folder) / name).write_bytes(body)
        try:
            return parse_model(sagemaker_manifest(folder))
        except ModelError as error:
            raise ModelError(str(error).replace(folder, path.name)) from None
