import json

import pytest
from checkout import PROJECT
from every import every

from contract import limits
from infra.planning import Profile, Site
from infra.planning.reference import GENERATED


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_generated_files_are_current(name):
    assert (PROJECT / name).read_text() == GENERATED[name](), "run `python -m infra.planning`"


@pytest.mark.parametrize("model", [Profile, Site])
def test_every_field_is_described(model):
    described = model.model_json_schema()
    for record in (described, *described["$defs"].values()):
        for key, field in record["properties"].items():
            assert field.get("description"), f"{record['title']}.{key}"


@pytest.mark.parametrize("name", ["profile", "site"])
def test_schemas_refuse_unknown_keys(name):
    described = json.loads((PROJECT / f"schemas/{name}.schema.json").read_text())

    for record in (described, *described["$defs"].values()):
        assert record["additionalProperties"] is False


def test_every_limit_has_a_source():
    assert every(limit.source.startswith("https://") for limit in limits.ALL)


def test_limits_agree_with_one_another():
    # What the planner may put in one container must fit what the group may hold.
    assert limits.RESOURCES_PER_FUNCTION.value <= limits.RESOURCES_PER_GROUP.value
    assert limits.CLOUD_SUBSCRIPTIONS.value <= limits.SUBSCRIPTIONS_PER_GROUP.value
    assert limits.CORE_THING_NAME_BYTES.value <= limits.THING_NAME_CHARS.value
