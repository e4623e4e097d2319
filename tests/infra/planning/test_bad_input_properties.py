"""Whatever stands in a file, loading it ends in a record or in findings with a place."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_samples import plan, profile, site

from infra.planning import InvalidInput, Profile, Site, check, plan_group
from infra.planning.yamlfile import read

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["16 GB", "5s", "auto", "s3://a", "../x", "container", "name"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)


def places(tree, path=()):
    """Every place of a tree, the root left out."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for step, value in steps:
        yield (*path, step)
        if isinstance(value, dict | list):
            yield from places(value, (*path, step))


@st.composite
def spoiled(draw, record):
    """A valid record as data, with a few places overwritten, added or taken away."""
    tree = json.loads(record.model_dump_json())
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(tree))))
        parent = tree
        for step in way:
            parent = parent[step]
        if draw(st.booleans()):
            parent[last] = draw(values)
        elif isinstance(parent, dict):
            del parent[last]
            parent[draw(st.text())] = draw(values)
    return tree


easy = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(tmp_path, tree, kind):
    path = tmp_path / "file.yaml"
    path.write_text(json.dumps(tree), encoding="utf-8")
    try:
        return read(path, kind)
    except InvalidInput as error:
        findings = error.findings
    assert findings
    for finding in findings:
        assert finding.subject.startswith(str(path))
        assert finding.message.endswith(".")
    return None


@easy
@given(tree=spoiled(site()))
def test_a_spoiled_site_loads_or_is_explained_and_what_loads_can_be_planned(tmp_path, tree):
    loaded = outcome(tmp_path, tree, Site)

    if loaded is not None:
        assert isinstance(check(plan_group(loaded, profile())), list)


@easy
@given(tree=spoiled(profile("p3.8xlarge")))
def test_a_spoiled_profile_loads_or_is_explained_and_what_loads_can_be_planned(tmp_path, tree):
    loaded = outcome(tmp_path, tree, Profile)

    if loaded is not None:
        assert isinstance(check(plan(on=loaded)), list)
