"""Samples that come as tables for people to look at: images and texts as the columns name them."""

from collections.abc import Mapping

import pandas as pd

from i2moe.base.errors import InputError
from stages.datasets.tables.cells import image_paths, texts_of
from stages.datasets.tables.rows import raw_rows
from stages.datasets.tables.settings import Modality, TableParams, load_table_params
from stages.datasets.tables.source import Source, read_source
from stages.shared.inputs import Images, Raw, Texts


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return images and texts; columns, series and arrays are shown by their features; see `stages.shared.inputs`."""
    params = load_table_params(dataset)
    wanted = {name: own for name, own in params.modalities.items() if name in samples and own.own_column}
    if not wanted:
        return {}
    source = read_source(params)
    return {name: cells_of(own, source, params, samples[name]) for name, own in wanted.items()}


def cells_of(own: Modality, source: Source, params: TableParams, samples: list[str]) -> Images | Texts:
    """Return the images or texts that are in a modality's column.

    Raises:
        InputError: for a table that no longer has a row, or a value, of a sample.
    """
    ids = pd.Series(samples, dtype=str)
    if ids.isin(source.table.index).all():
        raw = raw_rows(source.of(ids), params)
        if own.image:
            paths, present = image_paths(raw, own.image.column)
            found: Images | Texts = Images(paths, f"{params.raw} column {own.image.column!r}")
        else:
            texts, present = texts_of(raw, str(own.own_column))
            found = Texts(texts)
        if present.all():
            return found
    raise InputError(f"{params.raw}: column {own.own_column!r} lacks samples of the cohort: rerun the cohort stage")
