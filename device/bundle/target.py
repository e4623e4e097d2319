"""The device that a bundle is for, as pip and the constraints see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contract.pythons import CORE_PYTHONS

ARCHITECTURES = ("aarch64", "x86_64")
RUNTIMES = ("onnxruntime", "openvino")
#: glibc of the oldest system that a bundle runs on: Debian 11 and Ubuntu 20.04 have 2.31.
GLIBC_MINOR = 31
_OLDEST_MINOR = 5


class TargetError(ValueError):
    """No bundle can be made for this device; which value, and what there is."""


@dataclass(frozen=True)
class Target:
    """`python` is `3.11`; `runtime` one of RUNTIMES."""

    arch: str
    python: str
    runtime: str

    def __post_init__(self) -> None:
        for what, value, known in (
            ("architecture", self.arch, ARCHITECTURES),
            ("Python", self.python, CORE_PYTHONS),
            ("runtime", self.runtime, RUNTIMES),
        ):
            if value not in known:
                raise TargetError(f"no bundle for {what} {value}: use {', '.join(known)}")

    @property
    def platforms(self) -> list[str]:
        """Tags of wheels that run there, newest first (PEP 600, and the older names)."""
        newest = [f"manylinux_2_{minor}" for minor in range(GLIBC_MINOR, _OLDEST_MINOR - 1, -1)]
        return [f"{tag}_{self.arch}" for tag in (*newest, "manylinux2014")]

    @property
    def markers(self) -> dict[str, str]:
        """PEP 508: what `python_full_version >= "3.11"` and its like are judged by."""
        return {
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "sys_platform": "linux",
            "os_name": "posix",
            "platform_system": "Linux",
            "platform_machine": self.arch,
            "extra": "",
        }

    def pip_options(self) -> Iterator[str]:
        for platform in self.platforms:
            yield from ("--platform", platform)
        yield from ("--python-version", self.python, "--implementation", "cp")
        yield from ("--abi", f"cp{self.python.replace('.', '')}", "--abi", "abi3", "--abi", "none")
