import json

import pytest
from checkout import PROJECT
from plan_samples import PROFILES, SITES

from infra.planning import InvalidInput, check, errors, load_profile, load_site, plan_group
from infra.planning.naming import Names

ARN = "arn:aws:iot:us-east-1:123456789012:cert/" + "ab" * 32


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_profile_loads(path):
    assert load_profile(path).name == path.stem


def test_there_are_at_least_six_profiles_and_two_sites():
    assert len(list(PROFILES.glob("*.yaml"))) >= 6
    assert len(list(SITES.glob("*.yaml"))) >= 2


@pytest.mark.parametrize("path", sorted(SITES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_site_loads_and_breaks_no_rule(path):
    site, profile = load_site(path, PROFILES)

    assert site.name == path.stem
    assert errors(check(plan_group(site, profile))) == []


@pytest.mark.parametrize(
    "path", sorted([*PROFILES.glob("*.yaml"), *SITES.glob("*.yaml")]), ids=lambda p: p.stem
)
def test_every_shipped_file_names_its_schema_for_editors(path):
    first = path.read_text().splitlines()[0]

    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve().is_relative_to(PROJECT / "schemas")
    assert (path.parent / schema).is_file()


@pytest.fixture
def site_file(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text((SITES / "demo.yaml").read_text())
    (tmp_path / "certificates").mkdir()
    return path


def test_certificates_written_by_provisioning_are_found(site_file):
    known = {"demo-core": ARN, "demo-core-cam1": ARN, "demo-core-console": ARN}
    (site_file.parent / "certificates" / "demo.json").write_text(json.dumps(known))

    site, _ = load_site(site_file, PROFILES)

    names = Names(site)
    assert names.core().certificate_arn == ARN
    assert [(d.id, d.provisioned) for d in names.devices()] == [
        ("cam1", True),
        ("cam2", False),
        ("console", True),
    ]


def test_a_certificate_in_the_site_wins_over_the_file(site_file):
    own = ARN.replace("ab", "cd")
    site_file.write_text(
        site_file.read_text().replace(
            "  thing: demo-core\n", f"  thing: demo-core\n  certificate: {own}\n"
        )
    )
    (site_file.parent / "certificates" / "demo.json").write_text(json.dumps({"demo-core": ARN}))

    site, _ = load_site(site_file, PROFILES)

    assert Names(site).core().certificate_arn == own


def test_a_certificates_file_with_something_else_in_it_is_refused(site_file):
    (site_file.parent / "certificates" / "demo.json").write_text('{"demo-core": "-----BEGIN"}')

    with pytest.raises(InvalidInput, match=r"demo.json:1: demo-core: .* not the ARN of a cert"):
        load_site(site_file, PROFILES)


def test_no_certificates_file_is_a_site_that_is_not_provisioned_yet(site_file):
    site, _ = load_site(site_file, PROFILES)

    core = Names(site).core()
    assert not core.provisioned
    assert core.certificate_arn.split("cert/")[1].startswith("0" * 56)


def test_another_model_is_put_in_without_touching_the_rest():
    site, _ = load_site(SITES / "demo.yaml", PROFILES)

    other = site.with_model("s3://b-1/models/x.tar.gz")

    assert other.model.s3_uri == "s3://b-1/models/x.tar.gz"
    assert other.model.footprint == site.model.footprint
    assert other.model_copy(update={"model": site.model}) == site


def test_a_model_that_is_no_package_in_s3_is_refused():
    site, _ = load_site(SITES / "demo.yaml", PROFILES)

    with pytest.raises(InvalidInput, match=r"model: 'model.onnx' is not allowed; allowed: s3://"):
        site.with_model("model.onnx")


def test_a_site_named_otherwise_than_its_file_is_refused(site_file):
    other = site_file.rename(site_file.with_name("other.yaml"))

    with pytest.raises(InvalidInput, match=r'other.yaml:3: name: "demo" differs from the file'):
        load_site(other, PROFILES)
