"""Target v2, pure: what a nucleus would refuse is refused at synth, with the limit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from checkout import PROJECT

from devcloud.nucleus.recipe import RecipeError, read_recipe
from infra.planning import InvalidInput, check, errors, load_site, plan_group
from infra.planning.components import Ports
from infra.targets.v2.limits import document_findings, recipe_findings
from infra.targets.v2.names import V2Names, content_version
from infra.targets.v2.recipes import (
    Archive,
    RuntimeArchive,
    render_core,
    render_model,
    render_runtime,
)

SITE = """
name: edge
profile: cpu-gateway-4core
account: "111122223333"
region: eu-central-1
core: {{group: boxes}}
target: v2
components: {components}
model: {{s3_uri: s3://models/lite0.tar.gz}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/images, state: /srv/state}}
{more}
"""
RUNTIME = "s3://r/fanfold-runtime-01-x86_64-py3.11-onnxruntime.zip"


def found(tmp_path, components: dict[str, Any], more: str = "") -> list[str]:
    path = tmp_path / "edge.yaml"
    path.write_text(SITE.format(components=json.dumps(components), more=more))
    site, profile = load_site(path, PROJECT / "device_profiles")
    return [str(finding) for finding in errors(check(plan_group(site, profile)))]


def recipe(lifecycle: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest = {"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": lifecycle}
    return {"ComponentName": "c", "ComponentVersion": "1.0.0", "Manifests": [manifest], **more}


def refusal(given: dict[str, Any]) -> str:
    return "\n".join(map(str, recipe_findings(given)))


def test_a_site_with_its_runtime_is_taken(tmp_path):
    assert not found(tmp_path, {"runtimes": [RUNTIME]})


def test_a_site_without_a_runtime_for_its_architecture_is_told_the_command(tmp_path):
    (said,) = found(tmp_path, {})
    assert "FF160" in said
    assert "fanfold bundle --runtime-zip --arch x86_64" in said


def test_the_port_that_moquette_takes_is_refused(tmp_path):
    beside = {"aws.greengrass.clientdevices.mqtt.Moquette": {"version": "2.3.7"}}
    (said,) = found(tmp_path, {"runtimes": [RUNTIME], "beside": beside})
    assert "components.ports.mqtt is 8883" in said
    moved = {"runtimes": [RUNTIME], "beside": beside, "ports": {"mqtt": 8884}}
    assert not found(tmp_path, moved)


def test_a_moquette_that_was_moved_is_believed(tmp_path):
    def at(port: int) -> dict[str, Any]:
        merge = {"moquette": {"ssl_port": "8900"}}
        beside = {
            "aws.greengrass.clientdevices.mqtt.Moquette": {"version": "2.3.7", "merge": merge}
        }
        return {"runtimes": [RUNTIME], "beside": beside, "ports": {"mqtt": port}}

    (said,) = found(tmp_path, at(8900))
    assert "is 8900" in said
    assert "its merge: moquette.ssl_port" in said
    assert not found(tmp_path, at(8883))


@pytest.mark.parametrize(
    ("merge", "taken"),
    [
        ({}, [8883]),
        ({"emqx": {"listener.ssl.external": "8900"}}, [8900]),
        ({"emqx": {"listener.ssl.external": "0.0.0.0:8900"}}, [8900]),
        ({"dockerOptions": "-p 8900:8883 -p 127.0.0.1:8080:18083"}, [8900, 8080]),
        ({"emqxConfig": {"listeners": {"ssl": {"default": {"bind": 8900}}}}}, [8883]),
        (
            {
                "dockerOptions": "--network host",
                "emqxConfig": {"listeners": {"ssl": {"default": {"bind": "0.0.0.0:8900"}}}},
            },
            [8900],
        ),
    ],
)
def test_the_ports_that_emqx_takes_are_refused(tmp_path, merge, taken):
    def at(**ports: int) -> list[str]:
        beside = {"aws.greengrass.clientdevices.mqtt.EMQX": {"version": "2.0.2", "merge": merge}}
        return found(tmp_path, {"runtimes": [RUNTIME], "beside": beside, "ports": ports})

    for port in taken:
        (said,) = at(mqtt=port, http=None)
        assert f"FF163 error: site edge: components.ports.mqtt is {port}" in said
    assert not at(mqtt=8890, http=None)


@pytest.mark.parametrize(
    ("components", "said"),
    [
        ({"ports": {"mqtt": 8884, "http": 8884}}, "http: 8884 is mqtt's already"),
        ({"runtimes": [RUNTIME.replace("3.11", "3.8")]}, "the core runs on 3.10 to 3.13"),
        ({"runtimes": [RUNTIME, RUNTIME.replace("3.11", "3.12")]}, "x86_64 given twice"),
        ({"beside": {"com.x.Y": {"version": "^1.0.0"}}}, r"com.x.Y.version: .* text matching"),
        ({"beside": {"com.x.Y": {"version": "1.0.0", "merg": {}}}}, "Did you mean merge"),
        ({"beside": {"com.x.Y": {"version": "1.0.0", "reset": ["port"]}}}, "reset.*matching .*/"),
    ],
)
def test_components_that_cannot_be_are_refused_with_their_line(tmp_path, components, said):
    with pytest.raises(InvalidInput, match=said) as refused:
        found(tmp_path, components)
    assert "edge.yaml:8: components." in str(refused.value)


@pytest.mark.parametrize("file", ["a b.tar.gz", "$(id).tar.gz", "{a}.tar.gz", "a;b.tar.gz"])
def test_a_models_file_that_a_script_would_read_as_more_than_a_word_is_refused(tmp_path, file):
    path = tmp_path / "edge.yaml"
    path.write_text(SITE.format(components=json.dumps({"runtimes": [RUNTIME]}), more=""))
    site, profile = load_site(path, PROJECT / "device_profiles")
    plan = plan_group(site.with_model(f"s3://models/{file}"), profile)
    (said,) = errors(check(plan))
    assert "FF167" in str(said)


def test_a_component_of_the_sites_own_cannot_stand_beside(tmp_path):
    beside = {"fanfold.edge.Core": {"version": "1.0.0"}, "fanfold.other.Core": {"version": "1.0.0"}}
    (said,) = found(tmp_path, {"runtimes": [RUNTIME], "beside": beside})
    assert "fanfold.edge.Core, which the site renders itself" in said


@pytest.mark.parametrize("folder", ["sites", "."])
def test_a_runtime_is_found_by_the_sites_file_or_where_its_folder_lies(tmp_path, folder):
    name = RUNTIME.rpartition("/")[2]
    (tmp_path / "sites").mkdir()
    (tmp_path / folder / name).touch()
    path = tmp_path / "sites" / "edge.yaml"
    path.write_text(SITE.format(components=json.dumps({"runtimes": [name]}), more=""))
    site, _ = load_site(path, PROJECT / "device_profiles")
    assert site.components.runtimes == (str(tmp_path.joinpath(folder, name).resolve()),)


def test_containers_of_our_own_are_refused(tmp_path):
    (said,) = found(tmp_path, {"runtimes": [RUNTIME]}, "isolation: container")
    assert "FF164" in said


@pytest.mark.parametrize(
    "script", ['echo {"a": 1}', "echo ${HOME}", "for x in {a,b}; do :; done", "echo {"]
)
def test_braces_in_a_script_are_refused_and_a_nucleus_agrees(script):
    said = refusal(recipe({"run": script}))
    assert "FF173" in said


def test_a_component_with_only_an_install_is_refused_and_a_nucleus_agrees():
    given = recipe({"install": "true"})
    assert "300 s" in refusal(given)
    with pytest.raises(RecipeError, match="300 s"):
        read_recipe(given)


def test_a_hard_dependency_on_the_token_exchange_service_is_refused():
    name = "aws.greengrass.TokenExchangeService"
    for dependency in ({}, {"DependencyType": "HARD"}):
        given = recipe({"run": "true"}, ComponentDependencies={name: dependency})
        assert "FF174" in refusal(given)
    soft = {name: {"DependencyType": "SOFT"}}
    assert not refusal(recipe({"run": "true"}, ComponentDependencies=soft))


def test_two_architectures_are_one_recipe_with_a_manifest_each():
    names = V2Names("edge", "111122223333", "eu-central-1")
    runtimes = [
        RuntimeArchive(Archive("s3://r/x.zip", "x.zip"), "x86_64", "3.11"),
        RuntimeArchive(Archive("s3://r/a.zip", "a.zip"), "aarch64", "3.10"),
    ]
    offer, model = Archive("s3://a/o.zip", "o.zip"), Archive("s3://m/m.tar.gz", "m.tar.gz")
    settings = {"ports": Ports().model_dump(), "uplink": "iot"}
    made = [
        render_runtime(names, runtimes, offer),
        render_core(names, runtimes, Archive("s3://a/c.zip", "c.zip"), settings),
        render_model(names, runtimes, model, offer),
    ]

    for each in made:
        assert not refusal(each.recipe)
        intel, arm = each.recipe["Manifests"]
        assert [m["Platform"]["architecture"] for m in (intel, arm)] == ["amd64", "aarch64"]
        assert "exec python3.11 " in intel["Lifecycle"]["run"]["Script"]
        assert "exec python3.10 " in arm["Lifecycle"]["run"]["Script"]
    runtime, core, model_component = made
    assert [m["Artifacts"][0]["Uri"] for m in runtime.recipe["Manifests"]] == [
        "s3://r/x.zip", "s3://r/a.zip",
    ]  # fmt: skip
    assert "--runtime a " in core.recipe["Manifests"][1]["Lifecycle"]["run"]["Script"]
    assert set(model_component.artifacts) == {"s3://m/m.tar.gz", "s3://a/o.zip"}


def test_a_recipe_above_16_kb_is_refused():
    assert "16384" in refusal(recipe({"run": "x" * 17_000}))


def test_a_document_is_measured_in_bytes_and_java_takes_more():
    components = {f"c{n}": {"version": "1.0.0"} for n in range(200)}
    document = {"components": components}
    (said,) = document_findings("edge", document, "any")
    assert "4000 fit" in str(said)
    assert not list(document_findings("edge", document, "java"))


def test_another_content_is_another_version_and_the_same_is_the_same():
    one, same, other = ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3})
    assert content_version(one, 1) == content_version(same, 1) != content_version(other, 1)
    assert content_version(one, 2).startswith("2.")
