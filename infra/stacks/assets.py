"""The archives of an app, built once and shared by all its stacks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.packaging import build_deployer, build_jobs_deployer, build_lambdas


@dataclass(frozen=True)
class Assets:
    """Paths of the archives; `lambdas_sha256` is in hex, of the functions' archive."""

    lambdas: Path
    deployer: Path
    jobs_deployer: Path
    lambdas_sha256: str

    @classmethod
    def build(cls, folder: Path, hooks: Mapping[str, Path] | None = None) -> Assets:
        """Write all below `folder`, which must live until the stacks are made.

        `hooks`: the user's own files of a site (`infra.hooks.hook_files`).
        """
        folder.mkdir(parents=True, exist_ok=True)
        lambdas = build_lambdas(folder / "lambdas.zip", hooks=hooks)
        deployer = build_deployer(folder / "deployer.zip")
        jobs = build_jobs_deployer(folder / "jobs-deployer.zip")
        return cls(lambdas, deployer, jobs, hashlib.sha256(lambdas.read_bytes()).hexdigest())
