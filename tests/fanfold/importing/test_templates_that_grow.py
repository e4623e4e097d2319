"""A template cannot fill the memory of whoever imports it."""

from pathlib import Path

import pytest

from fanfold.common.errors import UserError
from fanfold.importing.reading_template import parse

LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 11)
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LAUGHS, "more than 200,000 values"),
        ("a: &a [*a]\n", "more than 200,000 values"),
        ("a: " + "[" * 2000 + "]" * 2000, "nested more than 100 deep"),
    ],
)
def test_aliases_and_depth_are_bounded(text, named):
    with pytest.raises(UserError, match=rf"t\.yaml.*{named}"):
        parse(text, Path("t.yaml"))
