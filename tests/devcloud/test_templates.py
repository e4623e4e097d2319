"""However a template is written, moto is given what it would have read."""

from __future__ import annotations

import json

import yaml

from devcloud.plugin.templates import JsonFirst

WRITTEN = {"Description": "yes", "Resources": {"T": {"Type": "AWS::IoT::Thing", "N": [1, None]}}}


def test_a_template_is_the_same_read_as_json_and_as_yaml():
    text = json.dumps(WRITTEN)

    assert JsonFirst().load(text, Loader=yaml.Loader) == yaml.load(text, Loader=yaml.Loader)


def test_what_is_no_json_is_read_as_yaml():
    assert JsonFirst().load("Resources:\n  T: {Type: x}\n", Loader=yaml.Loader) == {
        "Resources": {"T": {"Type": "x"}}
    }
