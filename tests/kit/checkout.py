"""Where the project's own files are, for tests in rooms of any depth."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PHOTOS = PROJECT / "tests/kit/photos"
