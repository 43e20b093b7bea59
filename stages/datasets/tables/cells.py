"""Images and texts that are in a column of the tables, a cell per sample."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2moe.preparation.columns import as_categories
from stages.datasets.tables.columns import in_columns
from stages.datasets.tables.rows import Raw


def image_paths(raw: Raw, column: str) -> tuple[list[Path], NDArray[np.bool_]]:
    """Return the files of the samples that have an image, and which samples [N] have one."""
    cells = raw.table[column]
    present = in_columns(cells.to_frame())
    return [raw.source.folder / str(path) for path in cells[present]], present


def texts_of(raw: Raw, column: str) -> tuple[list[str], NDArray[np.bool_]]:
    """Return the texts of the samples that have one, and which samples [N] have one."""
    cells = raw.table[column]
    present = in_columns(cells.to_frame())
    return as_categories(cells[present]).tolist(), present
