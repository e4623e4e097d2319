"""S3 in CloudFormation: bucket policies, which moto 5.2 lacks, and buckets taken back.

moto enforces a policy without looking at conditions, so `cdk bootstrap`'s own "deny what
is not TLS" would deny everything here: statements with a condition are stored and read
back, but not enforced.

A retained bucket outlives its stack; the next one takes it back when the change set was made
with `ImportExistingResources`, else its creation fails, as on AWS.
"""

from __future__ import annotations

import json
from typing import Any

from devcloud.plugin import change_sets
from devcloud.plugin.resource import Place, Resource, register


def install() -> None:
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket

    register(BucketPolicy)

    def get_permission(self: Any, action: str, resource: str) -> Any:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        policy = json.loads(self.policy)
        statements = [s for s in policy.get("Statement", []) if not s.get("Condition")]
        if not statements:
            return PermissionResult.NEUTRAL
        unconditional = IAMPolicy(json.dumps({**policy, "Statement": statements}))
        return unconditional.is_action_permitted(action, resource)

    FakeBucket.get_permission = get_permission
    plain = FakeBucket.__dict__.get("_plain_create") or FakeBucket.create_from_cloudformation_json
    FakeBucket._plain_create = plain

    def create(resource_name: str, template: Any, account_id: str, *rest: Any, **more: Any) -> Any:
        existing = _s3(Place(account=account_id, region="")).buckets.get(resource_name)
        if existing is not None and change_sets.importing():
            return existing
        return plain(resource_name, template, account_id, *rest, **more)

    FakeBucket.create_from_cloudformation_json = create


class BucketPolicy(Resource):
    type_name = "AWS::S3::BucketPolicy"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        document = json.dumps(properties["PolicyDocument"]).encode()
        _s3(place).put_bucket_policy(properties["Bucket"], document)
        return cls(place, properties["Bucket"], {})

    def remove(self) -> None:
        if self.physical_resource_id in _s3(self.place).buckets:
            _s3(self.place).delete_bucket_policy(self.physical_resource_id)


def _s3(place: Place) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[place.account]["aws"]
