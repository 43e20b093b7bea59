"""What every dataset's synthesizer shares: a folder that is complete or not there, and the planted truth next to it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def write_rule(folder: Path, rule: dict[str, Any]) -> None:
    """Write planted.json: that the files are synthetic, and what their labels follow from."""
    text = json.dumps({"synthetic": True} | rule, indent=2, ensure_ascii=False)
    (folder / "planted.json").write_text(f"{text}\n")
