"""Every command of the documents beside the README, in a clone. These tests need the pipeline."""

import pytest

from tests.docs.documents import DOCUMENTS, README, every_command


@pytest.mark.parametrize("command", every_command(document for document in DOCUMENTS if document != README), ids=str)
def test_a_command_of_a_document_runs(runner, command):
    runner(command)
