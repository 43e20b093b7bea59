"""A word and a number to plant in broken files, and the check that neither is shown."""

import pytest

from i2moe.base.errors import InputError

WORD, NUMBER = "qzcanary", "54321"


def nothing_shown(capfd, stages, *, error=True):
    """Run stages, of which the last fails; return all that they said, once no canary was found in it."""
    said = ""
    for stage in stages[:-1]:
        stage()
    if error:
        with pytest.raises(InputError) as caught:
            stages[-1]()
        said = str(caught.value)
    else:
        stages[-1]()
    printed = capfd.readouterr()
    said += printed.out + printed.err
    assert WORD not in said.lower()
    assert NUMBER not in said
    return said
