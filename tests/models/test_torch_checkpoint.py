import collections
import os
import pickle
import struct
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import torch_checkpoint
from models.torch_checkpoint import MAGIC, PROTOCOL, CheckpointError, read_checkpoint


class FloatStorage:
    """Stands in for torch's class: only its name gets into the pickle."""


class Tensor:
    def __init__(self, array, strides=None):
        self.array = array
        self.strides = strides or tuple(s // 4 for s in array.strides)

    def __reduce__(self):
        args = (Stored(self.array.size), 0, self.array.shape, self.strides, False, None)
        return _rebuild_tensor_v2, args


class Stored:
    def __init__(self, count):
        self.count = count


def _rebuild_tensor_v2(*_):
    raise AssertionError("only its name is wanted")


_rebuild_tensor_v2.__module__ = "torch._utils"


class Pickler(pickle._Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Stored):
            return ("storage", FloatStorage, "0", "cpu", obj.count, None)
        return None

    def save_global(self, obj, name=None):
        names = {FloatStorage: b"ctorch\nFloatStorage\n"}
        names[_rebuild_tensor_v2] = b"ctorch._utils\n_rebuild_tensor_v2\n"
        if obj in names:
            self.write(names[obj])
        else:
            super().save_global(obj, name)

    dispatch: ClassVar = {
        **pickle._Pickler.dispatch,
        type: save_global,
        type(_rebuild_tensor_v2): save_global,
    }


def checkpoint(state, values):
    import io

    file = io.BytesIO()
    for head in (MAGIC, PROTOCOL, {"little_endian": True}):
        pickle.dump(head, file, protocol=2)
    Pickler(file, protocol=2).dump(state)
    pickle.dump(["0"], file, protocol=2)
    file.write(struct.pack("<q", values.size) + values.astype("<f4").tobytes())
    return file.getvalue()


def test_a_tensor_comes_back_with_its_shape_and_values():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    state = collections.OrderedDict(weight=Tensor(values))
    np.testing.assert_array_equal(read_checkpoint(checkpoint(state, values))["weight"], values)


def test_a_tensor_that_reaches_beyond_its_storage_is_refused():
    values = np.zeros((2, 3), np.float32)
    state = collections.OrderedDict(weight=Tensor(values, strides=(300, 1)))
    with pytest.raises(CheckpointError, match="beyond its storage"):
        read_checkpoint(checkpoint(state, values))


def test_a_checkpoint_that_names_other_code_is_refused_and_nothing_runs(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(CheckpointError, match=r"names (posix|os)\.mkdir: refused"):
        read_checkpoint(pickle.dumps(Evil(), protocol=2))
    assert not (tmp_path / "ran").exists()


def test_a_cut_checkpoint_is_refused():
    values = np.zeros(4, np.float32)
    whole = checkpoint(collections.OrderedDict(weight=Tensor(values)), values)
    with pytest.raises(CheckpointError):
        read_checkpoint(whole[:-1])


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_with_one_kind_of_error(content):
    with pytest.raises(CheckpointError):
        torch_checkpoint.read_checkpoint(content)
