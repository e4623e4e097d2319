"""Secrets on this disk: encrypted, mode 0600, the key in a file of its own beside them.

Who copies `values` alone (a backup, a log collector) has nothing; who reads the whole state
folder as the core's user has everything, as on V1, whose key was the core's private key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from edgecore.core.secrets import SecretValue, from_json, to_json
from edgecore.disk.whole_file import write_whole

log = logging.getLogger(__name__)


class SecretStore:
    """``read`` and ``write`` block for a few milliseconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> list[SecretValue]:
        """Empty where nothing was kept, or where it cannot be opened: then it is fetched anew."""
        from cryptography.fernet import Fernet, InvalidToken  # who has secrets pays

        try:
            content = (self._folder / "values").read_bytes()
            return from_json(Fernet(self._key()).decrypt(content))
        except FileNotFoundError:
            return []
        except (OSError, InvalidToken, ValueError, TypeError, KeyError) as error:
            log.warning(
                "%s: the kept secrets cannot be opened (%s); they are fetched again, or given "
                "again with --secrets FILE",
                self._folder, type(error).__name__,
            )  # fmt: skip
            return []

    def write(self, values: Iterable[SecretValue]) -> None:
        """Raises OSError; what was kept before is then still there."""
        from cryptography.fernet import Fernet

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        write_whole(self._folder / "values", Fernet(self._key()).encrypt(to_json(values)))

    def _key(self) -> bytes:
        from cryptography.fernet import Fernet

        path = self._folder / "key"
        if not path.exists():
            write_whole(path, Fernet.generate_key())
        return path.read_bytes()
