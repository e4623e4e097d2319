"""However a template is written, moto is given what it would have read."""

from __future__ import annotations

import json

import pytest
import yaml
from moto.cloudformation.utils import yaml_tag_constructor

from devcloud.plugin.templates import JsonFirst

WRITTEN = {"Description": "yes", "Resources": {"T": {"Type": "AWS::IoT::Thing", "N": [1, None]}}}


def test_a_template_is_the_same_read_as_json_and_as_yaml():
    text = json.dumps(WRITTEN)

    assert JsonFirst().load(text, Loader=yaml.Loader) == yaml.load(text, Loader=yaml.Loader)


def test_what_is_no_json_is_read_as_yaml():
    assert JsonFirst().load("Resources:\n  T: {Type: x}\n", Loader=yaml.Loader) == {
        "Resources": {"T": {"Type": "x"}}
    }


def test_short_forms_of_functions_are_read_as_moto_reads_them(monkeypatch: pytest.MonkeyPatch):
    text = "A: !Ref T\nB: !GetAtt T.Arn\nC: !Sub 'x-${T}'\nD: !Join ['', [a, !Ref T]]\n"
    tags = {**yaml.Loader.yaml_multi_constructors, "": yaml_tag_constructor}
    monkeypatch.setattr(yaml.Loader, "yaml_multi_constructors", tags)

    found = JsonFirst().load(text, Loader=yaml.Loader)

    assert found == yaml.load(text, Loader=yaml.Loader)
    assert found["A"] == {"Ref": "T"}
