import pytest

from lambdas.model.errors import ModelError
from lambdas.model.labels import read_labels


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"bolt\nnut\n", ["bolt", "nut"]),
        ("\ufeffkäse\r\nbrot, weiß\r\n\r\n".encode(), ["käse", "brot, weiß"]),
        ("cat\ndog\n".encode("utf-16"), ["cat", "dog"]),
        (b'0,cat\n1,dog\n2,"a, b"\n', ["cat", "dog", "a, b"]),
        (b"0 cat\n1 dog\n", ["cat", "dog"]),
        (b"0: cat\n1: black dog", ["cat", "black dog"]),
        (b"0\tcat\n1\tdog\n", ["cat", "dog"]),
        (b"7,up\n8,down\n", ["7,up", "8,down"]),
        (b'5" pipe\n6" pipe\n', ['5" pipe', '6" pipe']),
        (b"", []),
    ],
)
def test_files_that_editors_and_exporters_write_give_the_names_they_mean(content, names):
    assert read_labels(content, "labels.txt") == names


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("käse\nbrot\n".encode("latin-1"), "line 1: not UTF-8"),
        (b"a\nb\n\nc\n", "line 3: blank"),
        (b"a\x00b\n", "is no name of a class"),
        (b"1,cat\n2,dog\n", "numbered from 1"),
        (b"x" * 300, "is no name of a class"),
    ],
)
def test_what_could_be_half_read_is_refused_with_its_line(content, sentence):
    with pytest.raises(ModelError, match=sentence):
        read_labels(content, "labels.txt")
