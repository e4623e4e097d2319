"""A record that is sent again is known, in a bounded memory."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from edgecore.history.recently import Recently

KEYS = st.tuples(st.sampled_from(("cam1", "cam2")), st.integers(1, 12), st.just("e-1"))
MOST = 5


@given(st.lists(st.one_of(KEYS, st.integers(0, 3))))
def test_it_knows_the_newest_keys_and_no_other(steps):
    """A key is added; a number says how many of the last additions failed."""
    recently, expected = Recently(MOST), OrderedDict()
    for step in steps:
        if isinstance(step, int):
            recently.forget_newest(step)
            for _ in range(min(step, len(expected))):
                expected.popitem()
            continue
        assert recently.add(step) is (step not in expected)
        expected[step] = None
        if len(expected) > MOST:
            expected.popitem(last=False)
        assert all(key in recently for key in expected)


def test_what_is_older_than_the_newest_is_new_again():
    recently = Recently(MOST)
    for seq in range(MOST + 1):
        assert recently.add(("cam1", seq, "e"))
    assert ("cam1", 0, "e") not in recently
    assert not recently.add(("cam1", 1, "e"))
