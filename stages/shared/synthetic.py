"""What every dataset's synthesizer shares: a folder that is complete or not there, and the planted truth inside it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from i2moe.contract.planted import PLANTED_FILE, Planted, PlantedTerm
from stages.shared.base import paths


@contextmanager
def new_files(dataset: str) -> Iterator[Path]:
    """Give an empty folder to fill; complete, it becomes data/synthetic/<dataset> in place of an older one."""
    target = paths.synthetic(dataset)
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def write_planted(
    folder: Path,
    rule: str,
    terms: list[PlantedTerm],
    **numbers: Any,  # noqa: ANN401 (whatever the rule has)
) -> None:
    """Write planted.json: that the files are synthetic, the terms that their labels follow from, the rule's numbers."""
    planted = Planted.model_validate({"synthetic": True, "rule": rule, "terms": terms} | numbers)
    (folder / PLANTED_FILE).write_text(planted.to_json(), encoding="utf-8")
