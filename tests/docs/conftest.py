"""A clone of the project for the commands of the documents, one for each file of tests."""

import pytest

from tests.docs.documents import TINY, write_params
from tests.docs.runner import Runner
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture


@pytest.fixture(scope="module")
def runner(tmp_path_factory, environment):
    """Runs commands in a clone with tiny settings, committed, and without the default run's long lock files."""
    folder = clone(tmp_path_factory.mktemp("documents") / "project", environment)
    locks = ["dvc.lock", "pipelines/*/dvc.lock", "stages/datasets/*/dvc.lock"]
    run(["git", "rm", "--quiet", "--ignore-unmatch", *locks], folder, environment)
    write_params(folder / "params.yaml", settings=TINY)
    run(["git", "commit", "--quiet", "--all", "--message", "tiny settings"], folder, environment)
    yield Runner(folder, environment)
    run([str(DVC), "queue", "stop", "--kill"], folder, environment, check=False)  # where a test failed before its end
