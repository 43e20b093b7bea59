"""Masks as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from i2moe.contract.masks import pack_mask, unpack_mask


def test_a_mask_is_written_as_stretches_outside_and_inside():
    mask = np.array([[[False, False, True], [True, True, False]], [[True, False, False], [False, False, True]]])
    assert pack_mask(mask) == "2 3 1 1 4 1"
    assert pack_mask(~mask) == "0 2 3 1 1 4 1"


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.booleans()))
def test_a_mask_comes_back(mask):
    assert (unpack_mask(pack_mask(mask), mask.shape) == mask).all()


@pytest.mark.parametrize("text", ["2 3", "one two", "1.5 2", ""])
def test_a_text_that_does_not_fit_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        unpack_mask(text, (2, 2, 2))
