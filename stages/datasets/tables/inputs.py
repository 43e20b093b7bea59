"""Samples that come as tables for people to look at: images and texts as the columns name them."""

from collections.abc import Mapping

import pandas as pd

from stages.datasets.tables.cells import image_paths, texts_of
from stages.datasets.tables.rows import raw_rows
from stages.datasets.tables.settings import load_table_params
from stages.datasets.tables.source import read_source
from stages.shared.inputs import Images, Raw, Texts


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return images and texts; columns, series and arrays are shown by their features; see `stages.shared.inputs`."""
    params = load_table_params(dataset)
    wanted = {name: own for name, own in params.modalities.items() if name in samples and own.own_column}
    if not wanted:
        return {}
    source = read_source(params)
    found: dict[str, Raw] = {}
    for name, own in wanted.items():
        raw = raw_rows(source.of(pd.Series(samples[name], dtype=str)), params)
        if own.image:
            found[name] = Images(image_paths(raw, own.image.column)[0])
        elif own.text:
            found[name] = Texts(texts_of(raw, own.text.column)[0])
    return found
