"""AWS Lambda: versions and aliases in CloudFormation, and code that can be fetched.

moto 5.2 has no `AWS::Lambda::Alias`, its `AWS::Lambda::Version` has neither `Ref` nor
attributes, and `GetFunction` names an address on the internet.
"""

from __future__ import annotations

import functools
from typing import Any

from devcloud.plugin.plain import as_moto_wrote
from devcloud.plugin.resource import Place, Resource, register

CODE_BUCKET = "devcloud-inline-code"


def install(endpoint_url: str) -> None:
    from moto.awslambda.models import LambdaFunction

    register(Version, Alias)
    plain_get_code = as_moto_wrote(LambdaFunction, "get_code")

    def get_code(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = plain_get_code(self)
        if self.package_type != "Image":
            location = _signed_url(endpoint_url, *_where(self))
            answer["Code"] = {"Location": location, "RepositoryType": "S3"}
        return answer

    LambdaFunction.get_code = get_code


def _signed_url(endpoint_url: str, bucket: str, key: str) -> str:
    """Signed, as Lambda's own is: the bootstrap's bucket answers nobody else. Works an hour."""
    wanted = {"Bucket": bucket, "Key": key}
    url: str = _s3(endpoint_url).generate_presigned_url("get_object", Params=wanted)
    return url


@functools.cache
def _s3(endpoint_url: str) -> Any:
    """Once: a core that polls asks for each of its functions, and making a client costs more
    than all else of the answer."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )


def code_zip(function: Any) -> bytes:
    """The bytes of a function's archive."""
    content: bytes = function.code_bytes
    return content


def _where(function: Any) -> tuple[str, str]:
    if function.code.get("S3Bucket") and function.code.get("S3Key"):
        return function.code["S3Bucket"], function.code["S3Key"]
    from moto.s3.models import s3_backends

    backend = s3_backends[function.account_id]["aws"]
    if CODE_BUCKET not in backend.buckets:
        backend.create_bucket(CODE_BUCKET, function.region)
    key = f"{function.function_name}/{function.code_sha_256.replace('/', '_')}.zip"
    backend.put_object(CODE_BUCKET, key, code_zip(function))
    return CODE_BUCKET, key


def _lambda(place: Place) -> Any:
    from moto.awslambda.utils import get_backend

    return get_backend(place.account, place.region)


class Version(Resource):
    """Every property is create-only; deleting it is left to the function's end."""

    type_name = "AWS::Lambda::Version"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        function = _lambda(place).publish_version(
            properties["FunctionName"], properties.get("Description", "")
        )
        version = str(function.version)
        name = function.function_name
        arn = f"arn:aws:lambda:{place.region}:{place.account}:function:{name}:{version}"
        return cls(place, arn, {"Version": version, "FunctionArn": arn})


class Alias(Resource):
    """`FunctionVersion` is updated in place; a new name or function is a new alias."""

    type_name = "AWS::Lambda::Alias"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        alias = _lambda(place).create_alias(**_arguments(properties))
        return cls(place, alias.arn, {"AliasArn": alias.arn, **_identity(properties)})

    def update(self, properties: dict[str, Any]) -> Resource:
        if _identity(properties).items() <= self.attributes.items():
            _lambda(self.place).update_alias(**_arguments(properties))
            return self
        return self.replaced(properties)

    def remove(self) -> None:
        _lambda(self.place).delete_alias(self.attributes["Name"], self.attributes["FunctionName"])


def _identity(properties: dict[str, Any]) -> dict[str, str]:
    return {"Name": properties["Name"], "FunctionName": properties["FunctionName"]}


def _arguments(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": properties["Name"],
        "function_name": properties["FunctionName"],
        "function_version": properties["FunctionVersion"],
        "description": properties.get("Description", ""),
        "routing_config": properties.get("RoutingConfig", {}),
    }
