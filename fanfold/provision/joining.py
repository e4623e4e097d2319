"""The join file: all that a device needs to be a core of its site (docs/spec/join-file.md).

It holds the private key, where that was not made on the device: 0600, for one device only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgecore.disk.whole_file import write_whole
from fanfold.cloud.access import Access
from fanfold.provision.identities import CERTIFICATE, KEY
from infra.planning import Site
from infra.targets.iot.names import IotNames


def join_file(folder: Path, thing: str) -> Path:
    """`folder`: the site's keys."""
    return folder / thing / f"{thing}.join"


def _key(path: Path, thing: str) -> dict[str, str]:
    """The key itself, or where `install.sh --csr` has put it, beside the join file."""
    if path.exists():
        return {"key_pem": path.read_text(encoding="ascii")}
    return {"key_path": f"{thing}.key"}


def write_join_file(access: Access, site: Site, thing: str, folder: Path) -> Path:
    """From the certificate that lies in `folder`, and the account's endpoints."""
    iot: Any = access.client("iot")

    def endpoint(kind: str) -> str:
        return str(iot.describe_endpoint(endpointType=kind)["endpointAddress"])

    content = {
        "v": 1,
        "site": site.name,
        "thing": thing,
        "region": site.region,
        "iot_endpoint": endpoint("iot:Data-ATS"),
        "credentials_endpoint": endpoint("iot:CredentialProvider"),
        "role_alias": IotNames(site.name, site.account, site.region).role_alias,
        "certificate_pem": (folder / thing / CERTIFICATE).read_text(encoding="ascii"),
        **_key(folder / thing / KEY, thing),
        "volumes": {"images": site.volumes.images, "state": site.volumes.state},
    }
    if access.cloud is not None:  # AWS's own roots are in every system's trust
        content["ca_pem"] = access.cloud.ca_file.read_text(encoding="ascii")
    path = join_file(folder, thing)
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode("ascii"))
    return path
