"""Every command of the README, and its Python example, in a clone. These tests need the pipeline."""

import pytest

from tests.docs.documents import README, blocks, every_command


@pytest.mark.parametrize("command", every_command([README]), ids=str)
def test_a_command_of_the_readme_runs(runner, command):
    runner(command)


def test_the_readmes_python_example_shows_a_trained_run(runner):
    (block,) = blocks(README, "python")
    runner.reset()
    runner.run("dvc", "repro", "pipelines/train/dvc.yaml:train@wdbc-i2moe-mult")
    shown = runner.run("python", "-c", block.text)
    assert "'uniqueness_mean': " in shown
    assert "'redundancy': " in shown
