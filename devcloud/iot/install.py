"""What of moto's AWS IoT gives way to the real thing: certificates, endpoints, shadows, publish."""

from __future__ import annotations

import json
from typing import Any

from devcloud.iot.authority import CsrRefused
from devcloud.iot.cloud import IotCloud
from devcloud.iot.jobs import api as jobs_api
from devcloud.iot.packets import Message
from devcloud.iot.shadows.document import ShadowRefused
from devcloud.plugin.plain import as_moto_wrote

STATES = ("ACTIVE", "INACTIVE", "REVOKED")
_SHADOW_EXCEPTIONS = {
    404: "ResourceNotFoundException",
    409: "ConflictException",
    413: "RequestEntityTooLargeException",
}


def install(cloud: IotCloud) -> None:
    _certificates(cloud)
    _endpoints(cloud)
    _publish(cloud)
    _shadows(cloud)
    jobs_api.install(cloud)


def _certificates(cloud: IotCloud) -> None:
    from moto.core.config import default_user_config
    from moto.iot.exceptions import InvalidRequestException
    from moto.iot.models import FakeCertificate, IoTBackend

    # A certificate's id is the SHA-256 of its DER: that is how a connection is recognised.
    default_user_config["iot"] = {"use_valid_cert": True}

    def keep(self: Any, pem: str, *, active: bool) -> Any:
        status = "ACTIVE" if active else "INACTIVE"
        made = FakeCertificate(pem, status, self.account_id, self.region_name)
        self.certificates[made.certificate_id] = made
        return made

    def create_keys_and_certificate(self: Any, set_as_active: bool) -> tuple[Any, dict[str, str]]:
        pem, public, private = cloud.authority.make_pair()
        pair = {"PublicKey": public, "PrivateKey": private}
        return keep(self, pem, active=set_as_active), pair

    def create_certificate_from_csr(self: Any, csr: str, set_as_active: bool) -> Any:
        try:
            return keep(self, cloud.authority.sign_csr(csr), active=set_as_active)
        except CsrRefused as error:
            raise InvalidRequestException(str(error)) from error

    def update_certificate(self: Any, certificate_id: str, new_status: str) -> None:
        if new_status not in STATES:
            raise InvalidRequestException(f"newStatus: one of {', '.join(STATES)}")
        self.describe_certificate(certificate_id).status = new_status
        if new_status != "ACTIVE":
            cloud.loop.call_soon_threadsafe(cloud.broker.cut, None, certificate_id)

    IoTBackend.create_keys_and_certificate = create_keys_and_certificate
    IoTBackend.create_certificate_from_csr = create_certificate_from_csr
    IoTBackend.update_certificate = update_certificate


def _endpoints(cloud: IotCloud) -> None:
    """One address for all of them; on AWS they are names of their own, and never change."""
    from moto.iot.models import FakeEndpoint

    plain = as_moto_wrote(FakeEndpoint, "__init__")

    def init(self: Any, endpoint_type: str, region_name: str) -> None:
        plain(self, endpoint_type, region_name)
        self.endpoint = f"localhost:{cloud.port}"

    FakeEndpoint.__init__ = init


def _publish(cloud: IotCloud) -> None:
    """What the API publishes reaches subscribers; what devices publish reaches the rules."""
    from moto.iotdata.models import IoTDataPlaneBackend

    ruled = IoTDataPlaneBackend.__dict__.get("ruled_publish") or IoTDataPlaneBackend.publish
    IoTDataPlaneBackend.ruled_publish = ruled

    def publish(self: Any, topic: str, payload: bytes) -> None:
        ruled(self, topic, payload)
        body = payload.encode() if isinstance(payload, str) else payload
        cloud.broker.route_threadsafe(Message(topic, body, qos=1))

    IoTDataPlaneBackend.publish = publish


def _shadows(cloud: IotCloud) -> None:
    from moto.iot.exceptions import IoTClientError
    from moto.iotdata.responses import IoTDataPlaneResponse

    def api(name: str) -> Any:
        def respond(self: Any) -> str:
            thing, shadow = self._get_param("thingName"), self.querystring.get("name", [None])[0]
            region = cloud.region(self.region)
            region.registry.backend.describe_thing(thing)
            body = self.body.encode() if isinstance(self.body, str) else self.body
            arguments = (body,) if name == "update" else ()
            try:
                return json.dumps(getattr(region.shadows, name)(thing, shadow, *arguments))
            except ShadowRefused as error:
                code = _SHADOW_EXCEPTIONS.get(error.code, "InvalidRequestException")
                raise IoTClientError(code, str(error)) from error

        return respond

    def names(self: Any) -> str:
        found = cloud.region(self.region).shadows.names(self._get_param("thingName"))
        return json.dumps({"results": found})

    for name in ("get", "update", "delete"):
        setattr(IoTDataPlaneResponse, f"{name}_thing_shadow", api(name))
    IoTDataPlaneResponse.list_named_shadows_for_thing = names
