"""A model's address pins its archive; what was replaced in S3 is refused before it is unpacked."""

import pytest

from edgecore.sources.errors import SourceError
from edgecore.sources.pinned import check_pinned, pinned_sha256

ONE, TWO = "1" * 64, "2" * 64


@pytest.mark.parametrize(
    ("uri", "pinned"),
    [
        (f"s3://b/models/m/1.0-{ONE}.tar.gz", ONE),
        (f"s3://b/m-{ONE}.zip", ONE),
        (f"s3://b/m-{ONE[:16]}.tar.gz", None),
        ("s3://b/m.tar.gz", None),
        (f"s3://b/{ONE}/m.tar.gz", None),
    ],
)
def test_an_address_with_a_whole_hash_pins_it(uri: str, pinned: str | None) -> None:
    assert pinned_sha256(uri) == pinned


def test_an_archive_with_another_hash_is_refused_with_both() -> None:
    check_pinned("model 'm'", f"s3://b/m-{ONE}.tar.gz", ONE)
    with pytest.raises(SourceError, match=f"{TWO}, the deployment asks for {ONE}"):
        check_pinned("model 'm'", f"s3://b/m-{ONE}.tar.gz", TWO)
