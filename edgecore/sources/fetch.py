"""Bring what a document names onto this disk, content-addressed, once.

``cache/code/{sha256}`` and ``cache/models/{key}`` below the state directory; an entry
exists only complete (``archive.extract`` renames it into place), so presence is validity.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import IO, Any

from contract.digests import sha256_of
from edgecore.disk.archive import LAMBDA_LIMITS, ArchiveError, Limits, extract
from edgecore.sources.aws_clients import AwsClients, explained
from edgecore.sources.document import Json, digest, entries_of, model_data, models_of
from edgecore.sources.errors import MISSING, SourceError
from edgecore.sources.pinned import check_pinned, pinned_sha256
from edgecore.sources.signed import check_signature, model_keys
from edgecore.sources.tree import copy_tree, tree_digest

_CHUNK_BYTES = 1 << 20
_DOWNLOAD_TIMEOUT_S = 60
_MAX_ZIP_BYTES = 250 << 20
_MAX_MODEL_BYTES = 2048 << 20


class Fetcher:
    """Completes a document in place: ``Lambdas[].Code`` and ``Models[].Path`` become
    paths relative to the state directory."""

    def __init__(self, cloud: AwsClients, state: Path, *, local_files: bool = False) -> None:
        """`local_files`: allow `file://` models. Never for a document from the network."""
        self._cloud = cloud
        self._state = state
        self._local_files = local_files
        self._folders: dict[str, str] = {}

    def complete(self, document: Json) -> None:
        self._all_code(document.get("Lambdas") or {})
        self._all_models(document)

    def _all_models(self, document: Json) -> None:
        """Of somebody else's group, where some function needs none, one that cannot be had is a
        finding (`Problem`): V1's deployment failed and left what ran, and here nothing runs yet."""
        models: Json = {}
        keys = model_keys(document)
        missing: list[SourceError] = []
        for resource in document.get("Resources") or []:
            if (data := model_data(resource)) is None:
                continue
            try:
                found = models[resource["Id"]] = self._model(resource["Id"], data)
            except SourceError as error:
                missing.append(error)
                models[resource["Id"]] = {"Problem": str(error)}
                continue
            what = f"model {resource['Id']!r} at {found['S3Uri']}"
            check_signature(what, self._state / found["Path"], keys)
        if models:
            document["Models"] = models
        if missing and not (self._local_files and _something_can_start(document)):
            raise missing[0]

    def _all_code(self, lambdas: Json) -> None:
        """Beside functions whose code is here, one without is a finding (``CodeProblem``)."""
        missing: list[SourceError] = []
        for arn, entry in lambdas.items():
            try:
                self._code(arn, entry)
            except SourceError as error:
                if error.exit_code != MISSING or not self._local_files:
                    raise
                missing.append(error)
                entry["Code"], entry["CodeProblem"] = None, str(error)
        if missing and len(missing) == len(lambdas):
            raise missing[0]

    def _code(self, arn: str, entry: Json) -> None:
        location = entry.pop("CodeLocation", None)
        if code := entry.get("Code"):
            path = Path(code)
            if path.is_dir():
                entry["Code"], entry["CodeSha256"] = self._code_folder(path)
                return
            if not path.is_file():
                raise SourceError(
                    f"function {arn}: its code {path} does not exist", exit_code=MISSING
                )
            sha256 = sha256_of(path)
            entry["CodeSha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
            entry["Code"] = self._unpack_code(arn, path, sha256)
            return
        if location is None:
            raise SourceError(f"function {arn}: AWS Lambda gave no code for it", exit_code=MISSING)
        entry["Code"] = self._code_zip(arn, entry, location)

    def _code_folder(self, folder: Path) -> tuple[str, str]:
        key = str(folder.resolve())
        if key not in self._folders:
            self._folders[key] = tree_digest(folder)
        sha256 = self._folders[key]
        relative = f"cache/code/{sha256}"
        if not (self._state / relative).exists():
            copy_tree(folder, self._state / relative)
        return relative, sha256

    def _code_zip(self, arn: str, entry: Json, location: str) -> str:
        expected = _hex(entry.get("CodeSha256"))
        relative = f"cache/code/{expected}"
        if expected and (self._state / relative).exists():
            return relative
        with _temporary(self._state) as packed:
            _download(arn, location, packed)
            packed.flush()
            path = Path(packed.name)
            sha256 = sha256_of(path)
            if expected and sha256 != expected:
                raise SourceError(
                    f"function {arn}: the downloaded code has SHA-256 {sha256[:16]}…,"
                    f" AWS Lambda announced {expected[:16]}…; download it again"
                )
            return self._unpack_code(arn, path, sha256)

    def _unpack_code(self, arn: str, path: Path, sha256: str) -> str:
        relative = f"cache/code/{sha256}"
        self._unpack(f"code of {arn}", path, self._state / relative, LAMBDA_LIMITS)
        return relative

    def _unpack(self, what: str, path: Path, target: Path, limits: Limits | None = None) -> None:
        if target.exists():
            return
        try:
            extract(path, target, limits=limits)
        except ArchiveError as error:
            raise SourceError(f"{what}: {error}") from error

    def _model(self, resource_id: str, data: Json) -> Json:
        uri = data.get("S3Uri") or self._training_output(resource_id, data)
        parsed = urllib.parse.urlsplit(uri)
        if parsed.scheme == "file" and self._local_files:
            return self._local_model(resource_id, uri, Path(urllib.parse.unquote(parsed.path)))
        if parsed.scheme != "s3" or not parsed.netloc or not parsed.path.strip("/"):
            raise SourceError(f"model {resource_id!r}: {uri!r} is not an s3://BUCKET/KEY address")
        bucket, key = parsed.netloc, parsed.path[1:]
        with explained(f"model {resource_id!r} at {uri}"):
            head = self._cloud.client("s3").head_object(Bucket=bucket, Key=key)
        if head["ContentLength"] > _MAX_MODEL_BYTES:
            raise SourceError(
                f"model {resource_id!r}: {head['ContentLength']} bytes; limit {_MAX_MODEL_BYTES}"
            )
        identity = {"S3Uri": uri, "ETag": head["ETag"], "VersionId": head.get("VersionId")}
        relative = f"cache/models/{digest(identity)[:32]}"
        if not (self._state / relative).exists():
            self._download_model(resource_id, bucket, key, identity, self._state / relative)
        return {**identity, "Path": relative}

    def _download_model(
        self, resource_id: str, bucket: str, key: str, identity: Json, target: Path
    ) -> None:
        what = f"model {resource_id!r} at {identity['S3Uri']}"
        version = {"VersionId": identity["VersionId"]} if identity["VersionId"] else {}
        with _temporary(self._state) as packed:
            with explained(what):
                # IfMatch: what is unpacked is what the cache key says, even in a race.
                body = self._cloud.client("s3").get_object(
                    Bucket=bucket, Key=key, IfMatch=identity["ETag"], **version
                )["Body"]
                shutil.copyfileobj(body, packed, _CHUNK_BYTES)
            packed.flush()
            if pinned_sha256(identity["S3Uri"]):
                check_pinned(what, identity["S3Uri"], sha256_of(Path(packed.name)))
            self._unpack(what, Path(packed.name), target)

    def _local_model(self, resource_id: str, uri: str, path: Path) -> Json:
        if not path.is_file():
            raise SourceError(f"model {resource_id!r}: no file {path}", exit_code=MISSING)
        sha256 = sha256_of(path)
        check_pinned(f"model {resource_id!r} at {uri}", uri, sha256)
        relative = f"cache/models/{sha256[:32]}"
        self._unpack(f"model {resource_id!r} at {uri}", path, self._state / relative)
        return {"S3Uri": uri, "ETag": sha256, "VersionId": None, "Path": relative}

    def _training_output(self, resource_id: str, data: Json) -> str:
        name = str(data.get("SageMakerJobArn") or "").rpartition("/")[2]
        if not name:
            raise SourceError(f"model {resource_id!r}: has neither S3Uri nor SageMakerJobArn")
        with explained(f"training job {name!r}"):
            job = self._cloud.client("sagemaker").describe_training_job(TrainingJobName=name)
        return str(job["ModelArtifacts"]["S3ModelArtifacts"])


def _something_can_start(document: Json) -> bool:
    """A site of Fanfold's is refused as a whole: cameras would send, and nobody answer."""
    entries = entries_of(document, "Functions")
    programs = [e for e in entries if e.get("FunctionArn") in (document.get("Lambdas") or {})]
    given = [e.get("FunctionConfiguration") or {} for e in programs]
    variables = [(c.get("Environment") or {}).get("Variables") or {} for c in given]
    lacking = [any("Problem" in m for m in models_of(c, document)) for c in given]
    return not any("FANFOLD_SITE" in v for v in variables) and not all(lacking)


def _temporary(state: Path) -> Any:
    folder = state / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.NamedTemporaryFile(prefix=".download-", dir=folder)


def _hex(code_sha256: str | None) -> str:
    """AWS Lambda gives base64; content-addressed paths want hex."""
    try:
        return base64.b64decode(code_sha256 or "", validate=True).hex()
    except ValueError:
        return ""


def _download(arn: str, location: str, into: IO[bytes]) -> None:
    if urllib.parse.urlsplit(location).scheme not in ("http", "https"):
        raise SourceError(f"function {arn}: its code location {location!r} is not http(s)")
    try:
        with urllib.request.urlopen(location, timeout=_DOWNLOAD_TIMEOUT_S) as answer:  # noqa: S310
            left_bytes = _MAX_ZIP_BYTES
            while chunk := answer.read(_CHUNK_BYTES):
                left_bytes -= len(chunk)
                if left_bytes < 0:
                    raise SourceError(f"function {arn}: code is larger than {_MAX_ZIP_BYTES} bytes")
                into.write(chunk)
    except (urllib.error.URLError, OSError) as error:
        raise SourceError(
            f"function {arn}: its code cannot be downloaded: {error}", exit_code=MISSING
        ) from error
