"""What an ONNX file says about itself, read without loading it: no weights, no runtime.

A device has no `onnx` package, and the versions for Python 3.8 follow links out of the
package; this reads the few fields of onnx.proto3 that decide whether a file may be opened.
Standard library only.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import Any, Iterator, NamedTuple

from contract import refused_kinds
from lambdas.model.errors import ModelError

#: `TensorProto.DataType` → numpy's name.
DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    16: "bfloat16",
}  # fmt: skip
MAX_DEPTH = 32
_LARGEST_SIDE = 2**63 - 1
_PICKLE = re.compile(rb"\x80[\x02-\x05]")


class Port(NamedTuple):
    """An input or output; a side is a number, a name, or None."""

    name: str
    dtype: str
    shape: tuple[Any, ...]


class External(NamedTuple):
    """Data of a tensor in another file: as the ONNX file says, not checked."""

    tensor: str
    location: str
    offset: int
    length: int | None


class Node(NamedTuple):
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxFile(NamedTuple):
    ir_version: int
    opsets: dict[str, int]
    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    external: tuple[External, ...]
    metadata: dict[str, str]
    #: Domains of functions that the file itself defines.
    own_domains: frozenset[str] = frozenset()


class _Reader:
    """Collects while it walks the messages of a file."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.external: list[External] = []

    def graph(self, view: memoryview, depth: int) -> dict[int, list[memoryview]]:
        if depth > MAX_DEPTH:
            raise ValueError(f"its graphs lie in one another {MAX_DEPTH} deep")
        parts = _parts(view)
        for tensor in parts.get(5, ()):
            self.tensor(tensor)
        for sparse in parts.get(15, ()):
            self.sparse(sparse)
        for node in parts.get(1, ()):
            self.node(node, depth)
        return parts

    def node(self, view: memoryview, depth: int) -> None:
        parts = _parts(view)
        names = [tuple(_text(v) for v in parts.get(tag, ())) for tag in (1, 2)]
        self.nodes.append(Node(_first(parts, 4), _first(parts, 7), names[0], names[1]))
        for attribute in parts.get(5, ()):
            inner = _parts(attribute)
            for tag in (5, 10):
                for tensor in inner.get(tag, ()):
                    self.tensor(tensor)
            for tag in (22, 23):
                for sparse in inner.get(tag, ()):
                    self.sparse(sparse)
            for tag in (6, 11):
                for graph in inner.get(tag, ()):
                    self.graph(graph, depth + 1)

    def sparse(self, view: memoryview) -> None:
        parts = _parts(view)
        for tag in (1, 2):
            for tensor in parts.get(tag, ()):
                self.tensor(tensor)

    def tensor(self, view: memoryview) -> None:
        parts = _parts(view)
        if 13 not in parts and _number(parts, 14) != 1:
            return
        entries = {}
        for entry in parts.get(13, ()):
            pair = _parts(entry)
            entries[_first(pair, 1)] = _first(pair, 2)
        length = entries.get("length")
        self.external.append(
            External(
                _first(parts, 8), entries.get("location", ""), int(entries.get("offset") or 0),
                None if length is None else int(length),
            )
        )  # fmt: skip


def read_onnx(path: str) -> OnnxFile:
    """Raises `ModelError` where the file is no ONNX model."""
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            view = memoryview(data)
            try:
                return _model(view)
            finally:
                view.release()
    except BufferError:  # views of a broken file are still in its traceback
        raise ModelError(f"{name} is no ONNX model") from None
    except (ValueError, IndexError, OSError) as error:
        raise ModelError(f"{name} is no ONNX model: {_instead(path) or error}") from None


def _instead(path: str) -> str:
    """What the file is, where its first bytes say it; else an empty string."""
    try:
        with open(path, "rb") as file:
            head = file.read(refused_kinds.HEAD_BYTES)
    except OSError:
        return ""
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer to one: git lfs pull fetches the file itself"
    if _PICKLE.match(head):
        return "it is a pickle (a checkpoint of PyTorch?): export the network"
    form = refused_kinds.named(head)
    return f"it is a {form.name}" if form is not None else "" if head else "it is empty"


def _model(view: memoryview) -> OnnxFile:
    reader = _Reader()
    parts = _parts(view)
    if 7 not in parts:
        raise ValueError("it holds no graph")
    graph = reader.graph(parts[7][0], 0)
    own = set()
    for function in parts.get(25, ()):
        inner = _parts(function)
        own.add(_first(inner, 10))
        for node in inner.get(7, ()):
            reader.node(node, 0)
    opsets = {}
    for entry in parts.get(8, ()):
        inner = _parts(entry)
        opsets[_first(inner, 1)] = _number(inner, 2)
    metadata = {}
    for entry in parts.get(14, ()):
        inner = _parts(entry)
        metadata[_first(inner, 1)] = _first(inner, 2)
    weights = {_first(_parts(tensor), 8) for tensor in graph.get(5, ())}
    inputs = tuple(port for port in map(_port, graph.get(11, ())) if port.name not in weights)
    return OnnxFile(
        _number(parts, 1), opsets, _first(parts, 2), inputs,
        tuple(map(_port, graph.get(12, ()))), tuple(reader.nodes), tuple(reader.external), metadata,
        frozenset(own),
    )  # fmt: skip


def _port(view: memoryview) -> Port:
    parts = _parts(view)
    kind = _parts(parts[2][0]) if 2 in parts else {}
    tensor = _parts(kind[1][0]) if 1 in kind else {}
    dtype = DTYPES.get(_number(tensor, 1), "unknown")
    shape: list[Any] = []
    for side in _parts(tensor[2][0]).get(1, ()) if 2 in tensor else ():
        inner = _parts(side)
        number = _number(inner, 1)
        # Some exporters write an open side as 0 or -1, which is 2⁶⁴-1 in the file.
        known = number if 0 < number <= _LARGEST_SIDE else None
        shape.append(known if 1 in inner else (_first(inner, 2) or None))
    return Port(_first(parts, 1), dtype, tuple(shape))


def _parts(view: memoryview) -> dict[int, list[Any]]:
    """Fields of one message: numbers as they are, everything with a length as a view."""
    found: dict[int, list[Any]] = {}
    for tag, value in _fields(view):
        found.setdefault(tag, []).append(value)
    return found


def _fields(view: memoryview) -> Iterator[tuple[int, Any]]:
    """Protocol Buffers' wire format: tags with varints, lengths, 32 and 64 bits."""
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        tag, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(view, at)
            yield tag, value
            continue
        if kind == 2:
            size, at = _varint(view, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if at + size > end:
            raise ValueError(f"it ends within a field, at byte {end}")
        yield tag, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number without an end, at byte {at}")


def _text(value: Any) -> str:
    if not isinstance(value, memoryview):
        raise ValueError("a number where text belongs")  # noqa: TRY004
    return bytes(value).decode("utf-8", "replace")


def _first(parts: dict[int, list[Any]], tag: int) -> str:
    return _text(parts[tag][0]) if tag in parts else ""


def _number(parts: dict[int, list[Any]], tag: int) -> int:
    value = parts[tag][-1] if tag in parts else 0
    return value if isinstance(value, int) else 0
