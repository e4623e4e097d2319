"""The device's side of AWS IoT: what a thing with a certificate can reach.

One TLS port serves MQTT 5, MQTT 3.1.1, the credentials provider and HTTPS publishing, with
moto's registry behind it: things, certificates and policies are those of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devcloud.iot.cloud import IotCloud

    Service = Callable[[IotCloud], None]

CA_FILE = Path("iot/ca.pem")
"""Below the cloud's state folder: what a device must trust."""


def start(folder: Path, endpoint_url: str, further: Sequence[Service] = ()) -> int:
    """Open the port, put moto's parts that it replaces out of use; returns the port.

    `further`: services that stand on this one, each told of it.
    """
    from devcloud.iot import endpoint, install, stack_types, window

    cloud = endpoint.start(folder, endpoint_url)
    install.install(cloud)
    stack_types.install(cloud)
    window.install(cloud)
    for install_service in further:
        install_service(cloud)
    return cloud.port
