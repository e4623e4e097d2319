"""`python -m infra.planning`: write the schemas and the reference pages below this folder."""

from pathlib import Path

from infra.planning.reference import files

for name, text in files().items():
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
