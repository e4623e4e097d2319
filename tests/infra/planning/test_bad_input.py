"""Bad files: one message per mistake, all at once, with file, line, key, value and choice."""

from pathlib import Path

import pytest

from infra.planning import InvalidInput, load_profile, load_site

PROFILE = """\
name: box
architecture: x86_64
cpu_cores: 4
memory_mb: 8192
"""
SITE = """\
name: demo
profile: box
account: "123456789012"
region: us-east-1
core:
  thing: demo-core
cameras:
  - name: cam1
volumes:
  images: /srv/images
  state: /srv/state
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "box.yaml").write_text(PROFILE)
    (tmp_path / "demo.yaml").write_text(SITE)
    return tmp_path


def complaints(folder: Path) -> list[str]:
    """What loading says, with paths relative to the folder."""
    with pytest.raises(InvalidInput) as caught:
        load_site(folder / "demo.yaml", folder / "profiles")
    return [str(f).replace(f"{folder}/", "") for f in caught.value.findings]


def write_site(folder: Path, *replaced: tuple[str, str]) -> None:
    text = SITE
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    (folder / "demo.yaml").write_text(text)


def test_a_good_site_and_profile_load(folder):
    site, profile = load_site(folder / "demo.yaml", folder / "profiles")

    assert (site.name, profile.name) == ("demo", "box")


def test_an_unknown_key_is_named_with_the_allowed_ones(folder):
    (folder / "profiles" / "box.yaml").write_text(PROFILE + "cpu_core: 3\n")

    assert complaints(folder) == [
        "FF003 error: profiles/box.yaml:5: cpu_core: is not a key here; allowed: architecture, "
        "containers, cpu_cores, description, devices, environment, gpus, group_owner, memory_mb, "
        "name, reserved, runtime, shared_memory_mb. Did you mean cpu_cores?"
    ]


def test_a_wrong_unit_is_answered_with_the_right_number(folder):
    (folder / "profiles" / "box.yaml").write_text(PROFILE.replace("8192", "244 GB"))

    assert complaints(folder) == [
        'FF004 error: profiles/box.yaml:4: memory_mb: "244 GB" is not allowed; allowed: '
        "a whole number from 1 up. The unit is megabytes: write 249856."
    ]


@pytest.mark.parametrize(
    ("written", "right"),
    [("244GB", "249856"), ("512 MiB", "512"), ("1 TB", "1048576"), ("2048 KB", "2")],
)
def test_units_are_converted_for_the_remedy(folder, written, right):
    (folder / "profiles" / "box.yaml").write_text(PROFILE.replace("8192", written))

    assert complaints(folder)[0].endswith(f"The unit is megabytes: write {right}.")


def test_a_missing_profile_is_named_with_those_that_exist(folder):
    write_site(folder, ("profile: box", "profile: bax"))

    assert complaints(folder) == [
        'FF007 error: demo.yaml:2: profile: "bax" is not a profile in profiles; '
        "allowed: box. Use one of them, or add profiles/bax.yaml."
    ]


def test_a_profile_outside_its_folder_is_not_found(folder):
    write_site(folder, ("profile: box", "profile: ../profiles/box"))

    assert complaints(folder)[0].startswith("FF007")


def test_a_wrong_choice_is_named_with_the_right_ones(folder):
    write_site(folder, ("core:\n", "strategy: pined\nworkers: many\ncore:\n"))

    assert complaints(folder) == [
        'FF004 error: demo.yaml:5: strategy: "pined" is not allowed; allowed: pinned, '
        "decoupled, pool, on_demand.",
        'FF004 error: demo.yaml:6: workers: "many" is not allowed; allowed: auto or a whole '
        "number from 1 to 1000.",
    ]


def test_a_number_out_of_range_is_named_with_the_range(folder):
    write_site(folder, ("core:\n", "batch: 100\nworkers: 0\nmax_wait_s: .inf\ncore:\n"))

    assert complaints(folder) == [
        "FF004 error: demo.yaml:5: batch: 100 is not allowed; allowed: a whole number from "
        "1 to 32.",
        "FF004 error: demo.yaml:6: workers: 0 is not allowed; allowed: auto or a whole number "
        "from 1 to 1000.",
        "FF004 error: demo.yaml:7: max_wait_s: Infinity is not allowed; allowed: a number above "
        "0. The unit is seconds.",
    ]


def test_an_account_without_quotes_is_told_to_have_them(folder):
    write_site(folder, ('"123456789012"', "123456789012"))

    assert complaints(folder) == [
        "FF004 error: demo.yaml:3: account: 123456789012 is not allowed; allowed: 12 digits in "
        "quotes. Write it in quotes."
    ]


def test_a_missing_key_is_named_at_its_parent(folder):
    write_site(folder, ("  images: /srv/images\n", ""))

    assert complaints(folder)[0].startswith("FF005 error: demo.yaml:9: volumes.images: is missing.")


def test_a_mistake_deep_in_a_list_has_its_own_line(folder):
    write_site(folder, ("  - name: cam1\n", "  - name: cam1\n  - name: Cam 2\n"))

    assert complaints(folder) == [
        'FF004 error: demo.yaml:9: cameras[1].name: "Cam 2" is not allowed; allowed: lower-case '
        "letters, digits and hyphens, 41 at most."
    ]


def test_all_findings_of_both_files_come_together_in_the_order_of_their_lines(folder):
    write_site(folder, ("us-east-1", "mars"), ("/srv/images", "images"))
    (folder / "profiles" / "box.yaml").write_text(PROFILE.replace(": 4", ": four") + "ram: 1\n")

    codes = [line.split(":")[0] + ":" + line.split(":")[2] for line in complaints(folder)]

    assert codes == ["FF004 error:4", "FF004 error:10", "FF004 error:3", "FF003 error:5"]


def test_contradictions_are_reported_together(folder):
    gpu = "  - {index: 0, model: T4, memory_mb: 15360}\n"
    reserved = "reserved: {cores: 4, memory_mb: 9000}\n"
    (folder / "profiles" / "box.yaml").write_text(PROFILE + "gpus:\n" + gpu * 2 + reserved)

    assert complaints(folder) == [
        "FF006 error: profiles/box.yaml:5: gpus: index given twice in [0, 0]; use each index once.",
        "FF006 error: profiles/box.yaml:8: reserved.cores: 4 of 4 cpu_cores leaves none for the "
        "model; allowed: 0 to 3.",
        "FF006 error: profiles/box.yaml:8: reserved.memory_mb: 9000 of 8192 memory_mb leaves none "
        "for the model; allowed: 0 to 8191.",
    ]


def test_a_camera_twice_and_one_called_console_are_refused(folder):
    cameras = "  - name: cam1\n  - name: cam1\n  - name: console\n"
    write_site(folder, ("  - name: cam1\n", cameras))

    assert complaints(folder) == [
        "FF006 error: demo.yaml:7: cameras: cam1 given twice; use each name once.",
        "FF006 error: demo.yaml:7: cameras: 'console' is the operator's own device; use another "
        "name.",
    ]


#: Nine aliases of nine aliases …: 400 bytes that are ten thousand million values.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 11)
)


def test_a_byte_order_mark_is_no_part_of_the_first_key(folder):
    path = folder / "demo.yaml"
    path.write_text("\ufeff" + path.read_text())

    assert load_site(path, folder / "profiles")[0].name == "demo"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "FF002 error: demo.yaml: is empty. Write `key: value` lines."),
        ("- a\n", "FF002 error: demo.yaml: is a list. Write `key: value` lines."),
        ("hello\n", "FF002 error: demo.yaml: is one value. Write `key: value` lines."),
        ("name: a\n  x: 1\n", "FF002 error: demo.yaml:2: is not YAML"),
        ("name: a\nname: b\n", 'FF002 error: demo.yaml:2: is not YAML: found duplicate key "name"'),
        ("[a]: b\n", "FF002 error: demo.yaml: has a list as a key. Use plain keys."),
        ("a: " + "[" * 9000, "FF002 error: demo.yaml: lists and objects are nested more than 100"),
        ("a:\n  " + "- " * 9000, "FF002 error: demo.yaml: is nested too deep. Flatten it."),
        ("name: [\n", "FF002 error: demo.yaml:2: is not YAML"),
        (LAUGHS, "FF002 error: demo.yaml: has more than 200,000 values once its aliases"),
    ],
)
def test_what_is_no_yaml_mapping_is_said_to_be_none(folder, text, complaint):
    (folder / "demo.yaml").write_text(text)

    found = complaints(folder)

    assert len(found) == 1
    assert found[0].startswith(complaint)


def test_a_site_file_that_does_not_exist_is_named(folder):
    (folder / "demo.yaml").unlink()

    assert complaints(folder) == [
        "FF001 error: demo.yaml: cannot be read: No such file or directory. Check the path."
    ]


def test_a_file_that_is_no_text_is_named(folder):
    (folder / "demo.yaml").write_bytes(b"\xff\xfe\x00")

    assert complaints(folder) == [
        "FF001 error: demo.yaml: cannot be read: not UTF-8 text. Check the path."
    ]


@pytest.mark.parametrize("name", ["demo.yaml", "profiles/box.yaml"])
def test_a_file_that_is_too_large_is_told_its_size_the_limit_and_what_to_do(folder, name):
    with (folder / name).open("a") as file:
        file.truncate(5 << 20)

    (found,) = complaints(folder)

    assert "FF001 error" in found
    assert f"{name}: has 5,242,880 bytes; at most 4,194,304 are read. Is it another" in found
    assert "Check the path" not in found


def test_a_profile_named_otherwise_than_its_file_is_refused(folder):
    path = folder / "profiles" / "box.yaml"
    path.write_text(PROFILE.replace("name: box", "name: bix"))

    with pytest.raises(InvalidInput) as caught:
        load_profile(path)

    assert str(caught.value).endswith(
        'box.yaml:1: name: "bix" differs from the file\'s name. Write box, or rename the file.'
    )


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ("{rules: []}", "at least"),
        ("{rules: [{name: a}, {name: a}]}", "a given twice; use each name once"),
        ("{rules: [{name: a, share: 1.5}]}", "share"),
        ("{rules: [{name: a, per_hour: 0}]}", "per_hour"),
        ("{rules: [{name: a, score_min: 0.6, score_max: 0.4}]}", "0.6 is above score_max (0.4)"),
        ("{rules: [{name: a, disagreement: true, label: x}]}", "no meaning beside disagreement"),
        ("{rules: [{name: a, camera: cam9}]}", "there is no camera cam9; cameras: cam1"),
        ("{max_bytes: 900000000, rules: [{name: a}]}", "more than half of max_bytes (1073741824)"),
        ("{rule: [{name: a}]}", "rules"),
    ],
)
def test_samples_that_could_not_be_kept_are_refused_with_value_and_limit(folder, samples, said):
    (folder / "demo.yaml").write_text(f"{SITE}history:\n  samples: {samples}\n")

    assert any(said in complaint for complaint in complaints(folder))


def test_more_rules_than_travel_in_a_group_are_refused_with_their_size(folder):
    labels = [f"{{name: r{n}, label: {'x' * 190}}}" for n in range(16)]
    (folder / "demo.yaml").write_text(
        f"{SITE}history:\n  samples: {{rules: [{', '.join(labels)}]}}\n"
    )

    assert any("limit 2800; use fewer rules" in complaint for complaint in complaints(folder))
