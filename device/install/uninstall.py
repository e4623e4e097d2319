"""`/opt/fanfold/uninstall.sh`: takes everything away but the site's data, and with --purge that."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from device.install.layout import Layout


def main() -> int:
    arguments = argparse.ArgumentParser("uninstall.sh", description="Remove Fanfold.")
    arguments.add_argument("--root", type=Path, default=Path("/"), metavar="DIR")
    arguments.add_argument("--purge", action="store_true", help="results and images waiting too")
    given = arguments.parse_args()
    layout = Layout(root=given.root.absolute())
    sites = sorted(path.stem for path in layout.on(layout.settings).glob("*.join"))
    _stop(sites, layout)
    removed = [layout.programs, layout.settings, layout.versions, layout.units / "fanfold@.service"]
    removed += [layout.drop_in(site).parent for site in sites]
    removed += [layout.data] if given.purge else []
    for path in removed:
        _remove(layout.on(path))
    kept = (
        ""
        if given.purge
        else f"; the state of {', '.join(sites) or 'no site'} stays in {layout.data}"
    )
    print(f"removed: programs, certificates, versions, units{kept}")
    return 0


def _stop(sites: list[str], layout: Layout) -> None:
    if str(layout.root) != "/" or not Path("/run/systemd/system").is_dir():
        return
    for site in sites:
        subprocess.run(["systemctl", "disable", "--now", f"fanfold@{site}.service"], check=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path))
    elif path.exists() or path.is_symlink():
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
