"""Identities: made once, private, narrow, and repeatable after every kind of interruption."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
from pathlib import Path

import boto3
import pytest
from checkout import PROJECT
from cryptography.hazmat.primitives.asymmetric import rsa
from every import every
from moto import mock_aws

from fanfold import provision
from fanfold.common.errors import UserError
from fanfold.provision import Identities, core_policy, device_policy
from fanfold.provision.local import local_certificates
from fanfold.provision.requests import read_request

POLICY = device_policy("us-east-1", "123456789012", "demo-cam1")


@pytest.fixture(scope="module")
def keys():
    """moto makes an RSA key for each certificate, most of what these tests computed: it takes one
    of these in turn, more than a test has certificates at once."""
    made = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(4)]
    return itertools.cycle(made)


@pytest.fixture
def iot(monkeypatch, keys):
    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: next(keys))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("iot", region_name="us-east-1")


@pytest.fixture
def make(iot, tmp_path):
    return lambda: Identities(iot, tmp_path / "keys", tmp_path / "certificates" / "demo.json")


def _active(iot) -> set[str]:
    return {c["certificateArn"] for c in iot.list_certificates()["certificates"]}


def test_keys_are_private_and_the_record_holds_arns_only(make, tmp_path):
    done = make().ensure("demo-cam1", POLICY)

    key = tmp_path / "keys" / "demo-cam1" / "private.pem.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" in key.read_text()
    record = (tmp_path / "certificates" / "demo.json").read_text()
    assert json.loads(record) == {"demo-cam1": done.certificate_arn}


def test_a_second_call_keeps_key_and_certificate(make, iot):
    first = make().ensure("demo-cam1", POLICY)
    again = make().ensure("demo-cam1", POLICY)

    assert (again.what, again.certificate_arn) == ("kept", first.certificate_arn)
    assert _active(iot) == {first.certificate_arn}


def test_rotation_leaves_only_the_new_certificate(make, iot, tmp_path):
    first = make().ensure("demo-cam1", POLICY)
    key = (tmp_path / "keys" / "demo-cam1" / "private.pem.key").read_text()
    second = make().ensure("demo-cam1", POLICY, rotate=True)

    assert second.what == "rotated"
    assert _active(iot) == {second.certificate_arn} != {first.certificate_arn}
    assert (tmp_path / "keys" / "demo-cam1" / "private.pem.key").read_text() != key


def test_a_device_keeps_its_former_certificate_until_that_is_retired(make, iot):
    first = make().ensure("demo-core", None)
    second = make().ensure("demo-core", None, rotate=True, keep_former=True)
    third = make().ensure("demo-core", None, rotate=True, keep_former=True)
    both = [first.certificate_arn, second.certificate_arn]

    assert _active(iot) == {*both, third.certificate_arn}
    assert make().former("demo-core") == both

    assert make().retire_former("demo-core") == both
    assert _active(iot) == {third.certificate_arn}
    assert make().retire_former("demo-core") == []


def test_removing_a_thing_ends_its_former_certificates_too(make, iot):
    make().ensure("demo-core", None)
    make().ensure("demo-core", None, rotate=True, keep_former=True)

    make().remove("demo-core")

    assert _active(iot) == set()


def test_a_lost_key_is_made_anew_instead_of_trusted(make, iot, tmp_path):
    first = make().ensure("demo-cam1", POLICY)
    (tmp_path / "keys" / "demo-cam1" / "private.pem.key").unlink()
    second = make().ensure("demo-cam1", POLICY)

    assert _active(iot) == {second.certificate_arn} != {first.certificate_arn}


def test_a_call_cut_off_before_its_record_is_finished_by_the_next(make, iot, monkeypatch):
    torn = make()
    monkeypatch.setattr(torn, "_write_record", lambda: (_ for _ in ()).throw(OSError("cut off")))
    with pytest.raises(OSError, match="cut off"):
        torn.ensure("demo-cam1", POLICY)
    done = make().ensure("demo-cam1", POLICY)

    attached = iot.list_attached_policies(target=done.certificate_arn)["policies"]
    assert [p["policyName"] for p in attached] == ["fanfold-demo-cam1"]


def test_removal_leaves_no_certificate_policy_or_key(make, iot, tmp_path):
    make().ensure("demo-cam1", POLICY)
    make().remove("demo-cam1")

    assert _active(iot) == set()
    assert iot.list_policies()["policies"] == []
    assert not (tmp_path / "keys" / "demo-cam1" / "private.pem.key").exists()
    assert json.loads((tmp_path / "certificates" / "demo.json").read_text()) == {}


def test_certificates_are_attached_to_the_things_that_exist(make, iot):
    identities = make()
    done = identities.ensure("demo-cam1", POLICY)
    assert identities.attach_things() == ["demo-cam1"]

    iot.create_thing(thingName="demo-cam1")

    assert identities.attach_things() == []
    found = iot.list_thing_principals(thingName="demo-cam1")["principals"]
    assert found == [done.certificate_arn]


def test_no_policy_reaches_beyond_its_own_thing_and_site():
    for policy in (POLICY, core_policy("us-east-1", "123456789012", "demo-core", "demo")):
        for statement in policy["Statement"]:
            assert "*" not in statement["Resource"]
            assert every(":*" not in action for action in statement["Action"])
            assert every("demo" in r or ":greengrass:" in r for r in statement["Resource"])


def test_provision_of_a_site_satisfies_the_planner(fanfold, iot, tmp_path):
    project = PROJECT
    site = tmp_path / "demo.yaml"
    site.write_text((project / "sites" / "demo.yaml").read_text())

    assert fanfold("provision", str(site), "--aws").code == 0

    said = fanfold("plan", str(site))
    assert "FF142" not in said.err


def test_a_former_certificate_that_was_revoked_is_not_said_to_serve(fanfold, iot, tmp_path):
    site = tmp_path / "demo-iot.yaml"
    site.write_text((PROJECT / "sites" / "demo-iot.yaml").read_text())
    assert fanfold("provision", str(site), "--aws").code == 0
    record = json.loads((tmp_path / "certificates" / "demo-iot.json").read_text())
    first = record["demo-iot-core"].rpartition("/")[2]

    rotated = fanfold("provision", str(site), "--aws", "--rotate")
    iot.update_certificate(certificateId=first, newStatus="REVOKED")
    revoked = fanfold("provision", str(site), "--aws")

    assert "its former certificate still serves" in rotated.err
    assert "its former certificate serves no more" in revoked.err


def test_a_group_from_a_local_model_knows_the_certificates_that_are_here(make, tmp_path):
    made = make().ensure("demo-cam1", POLICY)
    things = [{"ThingName": name, "ThingArn": f"arn:{name}"} for name in ("core", "demo-cam1")]

    found, missing = local_certificates(
        {"Core": things[0], "Devices": things[1:]}, tmp_path / "keys"
    )

    assert made.what == "made"
    assert found["arn:demo-cam1"].startswith("-----BEGIN CERTIFICATE")
    assert missing == ["core"]


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout


@pytest.fixture
def csr(tmp_path):
    """OpenSSL's request for a thing; `more`: its kind of key."""

    def made(subject: str = "/CN=demo-core", *more: str) -> Path:
        kind = more or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        path = tmp_path / "made.csr"
        _openssl("req", "-new", *kind, "-nodes", "-subj", subject,
                 "-keyout", str(tmp_path / "device.key"), "-out", str(path))  # fmt: skip
        return path

    return made


def test_a_request_by_openssl_names_its_thing_and_its_key(csr, tmp_path):
    request = read_request(csr())

    public = _openssl("pkey", "-in", str(tmp_path / "device.key"), "-pubout", "-outform", "DER")
    assert (request.thing, request.public_key) == ("demo-core", public)


@pytest.mark.parametrize(
    ("subject", "more", "said"),
    [
        ("/O=somebody", (), "names 0 things"),
        ("/CN=demo-core", ("-newkey", "rsa:1024"), "RSA key of 1024 bits, 2048 needed"),
        ("/CN=demo-core", ("-newkey", "ed25519"), "no kind of key that AWS IoT takes"),
    ],
)
def test_a_request_that_aws_would_refuse_is_refused_with_its_reason(csr, subject, more, said):
    with pytest.raises(UserError, match=said):
        read_request(csr(subject, *more))


def test_a_request_that_was_changed_on_its_way_is_refused(csr):
    path = csr()
    lines = path.read_text().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[-1] ^= 1
    text = base64.encodebytes(bytes(der)).decode()
    path.write_text(f"{lines[0]}\n{text}{lines[-1]}\n")

    with pytest.raises(UserError, match=r"signature does not fit|is no certificate request"):
        read_request(path)


def test_a_certificate_for_another_key_is_refused_and_nothing_is_kept(make, csr, tmp_path):
    """moto certifies a key of its own, whatever the request says."""
    with pytest.raises(UserError, match="certified another key"):
        make().ensure("demo-core", None, request=read_request(csr()))

    assert not (tmp_path / "keys" / "demo-core").exists()


def test_a_key_on_its_device_is_not_made_anew_at_the_workplace(make, csr, tmp_path, monkeypatch):
    monkeypatch.setattr(provision.identities, "refuse_other_key", lambda *_: None)
    request = read_request(csr())
    first = make().ensure("demo-core", None, request=request)

    again = make().ensure("demo-core", None, request=request)
    without = make().ensure("demo-core", None)

    assert again.what == without.what == "kept"
    assert again.certificate_arn == without.certificate_arn == first.certificate_arn
    with pytest.raises(UserError, match="made on the device"):
        make().ensure("demo-core", None, rotate=True)
    anew = make().ensure("demo-core", None, request=read_request(csr()))
    assert (anew.what, anew.certificate_arn != first.certificate_arn) == ("rotated", True)
