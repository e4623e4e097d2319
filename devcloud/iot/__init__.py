"""The device's side of AWS IoT: what a thing with a certificate can reach.

One TLS port serves MQTT 5, MQTT 3.1.1, the credentials provider and HTTPS publishing, with
moto's registry behind it: things, certificates and policies are those of the API.
"""

from __future__ import annotations

from pathlib import Path

CA_FILE = Path("iot/ca.pem")
"""Below the cloud's state folder: what a device must trust."""


def start(folder: Path, endpoint_url: str) -> int:
    """Open the port, put moto's parts that it replaces out of use; returns the port."""
    from devcloud import greengrass_v2
    from devcloud.iot import endpoint, install, stack_types, window

    cloud = endpoint.start(folder, endpoint_url)
    install.install(cloud)
    stack_types.install(cloud)
    window.install(cloud)
    greengrass_v2.install(cloud)
    return cloud.port
