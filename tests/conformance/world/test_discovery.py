"""Discovery as AWS's two Python SDKs ask for it, unmodified from PyPI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile

import pytest
from core_site import Site
from published import source_of
from test_devices import _certificate, device
from waiting import eventually

OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "core"]
AWS_IOT_PYTHON_SDK = """
import json, sys
from AWSIoTPythonSDK.core.greengrass.discovery.providers import DiscoveryInfoProvider
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTClient
ca, certificate, key, port = sys.argv[1:]
provider = DiscoveryInfoProvider()
provider.configureEndpoint("localhost", int(port))
provider.configureCredentials(ca, certificate, key)
provider.configureTimeout(20)
found = provider.discover("dev")
group_id, group_ca = found.getAllCas()[0]
core = found.getAllCores()[0]
open("group.ca", "w").write(group_ca)
client = AWSIoTMQTTClient("dev")
client.configureCredentials("group.ca", key, certificate)
for info in core.connectivityInfoList:
    client.configureEndpoint(info.host, info.port)
    try:
        if client.connect():
            break
    except Exception as error:
        print(info.host, error, file=sys.stderr)
else:
    sys.exit("no address of the core works")
client.publish("hello", json.dumps({"sdk": 1}), 1)
print(group_id, core.coreThingArn)
"""
AWSIOTSDK = """
import sys
from awscrt import io
from awsiot.greengrass_discovery import DiscoveryClient
ca, certificate, key, port = sys.argv[1:]
options = io.TlsContextOptions.create_client_with_mtls_from_path(certificate, key)
options.override_default_trust_store_from_path(None, ca)
bootstrap = io.ClientBootstrap(io.EventLoopGroup(1), io.DefaultHostResolver(io.EventLoopGroup(1)))
client = DiscoveryClient(bootstrap, io.SocketOptions(), io.ClientTlsContext(options), "us-east-1",
    gg_server_name="localhost")
client.port = int(port) or client.port
group = client.discover("dev").result(30).gg_groups[0]
print(group.gg_group_id, group.cores[0].thing_arn)
assert group.cores[0].connectivity and group.certificate_authorities
"""


def _core_with_a_device(site: Site, mqtt: str = "0", discovery: str = "0") -> list[str]:
    """What each script gets: CA, certificate, key, port."""
    folder = site.folder / "certificates"
    dev = device(site, "dev", _certificate(folder, "dev"))
    site.connect(dev, "hello", "cloud")
    site.start(
        "--mqtt-port", mqtt, "--discovery-port", discovery, "--device-certificates", str(folder)
    )  # fmt: skip
    ports = json.loads((site.state / "core.json").read_text())["ports"]
    files = [site.state / "ca" / "group-ca.pem", folder / "dev.crt", folder / "dev.key"]
    return [*map(str, files), str(ports["discovery"])]


@pytest.mark.parametrize(
    ("package", "script"),
    [("AWSIoTPythonSDK", AWS_IOT_PYTHON_SDK), ("awsiot", AWSIOTSDK)],
)
def test_a_device_finds_its_core_with_the_sdk(site: Site, package: str, script: str) -> None:
    pytest.importorskip(package)
    arguments = _core_with_a_device(site)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        cwd=site.folder, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "thing/t-core" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
def test_awss_sample_basic_discovery_finds_its_core_and_publishes(site: Site) -> None:
    """The file in the SDK's source, with the ports that it takes for granted."""
    sample = site.folder / "basicDiscovery.py"
    with tarfile.open(source_of("awsiotpythonsdk")) as source:
        name = next(n for n in source.getnames() if n.endswith("/greengrass/basicDiscovery.py"))
        sample.write_bytes(source.extractfile(name).read())
    site.prefix = OWN_NETWORK
    ca, certificate, key, _ = _core_with_a_device(site, mqtt="8883", discovery="8443")
    command = ["nsenter", "--net", "--target", str(site.process.pid), sys.executable]
    command += ["-W", "ignore", str(sample), "-e", "localhost", "-r", ca, "-c", certificate]
    with (site.folder / "sample.out").open("wb") as out:
        running = subprocess.Popen(
            [*command, "-k", key, "-n", "dev", "-t", "hello", "-m", "publish"],
            cwd=site.folder, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        eventually(
            lambda: site.cloud() or running.poll() is not None,
            (site.folder / "sample.out").read_text,
        )
    finally:
        running.kill()
        running.wait()
    said = (site.folder / "sample.out").read_text()
    assert [message["topic"] for message in site.cloud()][:1] == ["hello"], said
    assert "Discovered GGC: arn:aws:iot:us-east-1:123456789012:thing/t-core" in said


ALPN = """
import socket, ssl, sys
ca, certificate, key = sys.argv[1:4]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["x-amzn-http-ca"])
with socket.create_connection(("localhost", 443), 20) as plain:
    with context.wrap_socket(plain, server_hostname="localhost") as secured:
        print(secured.selected_alpn_protocol())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="port 443 and a network of its own need root")
def test_awss_second_sdk_finds_its_core_on_443_by_alpn_as_it_does_by_itself(site: Site) -> None:
    pytest.importorskip("awsiot")
    site.prefix = OWN_NETWORK
    *files, _ = _core_with_a_device(site, discovery="443")
    inside = ["nsenter", "--net", "--target", str(site.process.pid), sys.executable, "-c"]

    def said(script: str) -> str:
        command = [*inside, script, *files, "0"]
        done = subprocess.run(
            command, cwd=site.folder, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "thing/t-core" in said(AWSIOTSDK + "assert client.port == 443")
    assert said(ALPN).strip() == "x-amzn-http-ca"


def test_another_things_certificate_finds_nothing(site: Site) -> None:
    ca, _, _, port = _core_with_a_device(site)
    stranger = site.folder / "certificates"
    # The stranger's certificate is not the group's: TLS itself refuses it.
    _certificate(stranger, "stranger")
    command = ["curl", "-sS", "--max-time", "20", "--cacert", ca, "--cert"]
    command += [str(stranger / "stranger.crt"), "--key", str(stranger / "stranger.key")]
    url = f"https://localhost:{port}/greengrass/discover/thing/dev"
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "GGGroups" not in done.stdout
