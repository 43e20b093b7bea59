"""Every command of the README in a clone. These tests need the pipeline."""

import pytest

from tests.docs.documents import README, every_command


@pytest.mark.parametrize("command", every_command([README]), ids=str)
def test_a_command_of_the_readme_runs(runner, command):
    runner(command)
