"""A secret cannot be printed by accident."""

from __future__ import annotations

import copy
import pickle

import pytest

from ostiary.foundation.secret import Secret


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>40}".format, lambda secret: f"{secret!r:>9}"])
def test_no_way_of_writing_shows_it(show):
    """Neither repr nor str nor a format shows the text."""
    assert "hunter2" not in show(Secret("hunter2"))


def test_it_is_never_serialised():
    """Pickling and deep copying refuse."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("hunter2"))


def test_it_reveals_and_compares():
    """`reveal` is the one way out, and equality is of the text."""
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret("hunter2") == Secret("hunter2")
    assert Secret("hunter2") != Secret("hunter3")
    assert Secret("hunter2") != "hunter2"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
