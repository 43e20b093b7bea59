"""Columns of tables, from the encoder that was fitted to them."""

from pathlib import Path

from i2moe.preparation.columns import ColumnEncoder
from i2moe.preparation.fitted import read_fitted
from stages.shared.inputs import UNKNOWN, Column


def fitted_columns(path: Path, names: list[str]) -> list[Column] | None:
    """Return the columns that features of these names were made of; None where no encoder of columns was fitted.

    Args:
        path: of what was fitted; not every dataset has it.
        names: of the features.
    """
    values = read_fitted(path) if path.exists() else {}
    if "category_counts" not in values:
        return None
    encoder = ColumnEncoder.from_fitted(values)
    return columns_of(encoder) if encoder.features == names else None


def columns_of(encoder: ColumnEncoder) -> list[Column]:
    """Return the columns of an encoder's features, in their order; one that marks missing values is a number."""
    numbers = encoder.numbers
    scales = zip(numbers.names, numbers.means.tolist(), numbers.scales.tolist(), strict=True)
    columns = [Column(name, [place], mean, scale) for place, (name, mean, scale) in enumerate(scales)]
    place = len(columns)
    for own in encoder.categories:
        features = list(range(place, place + len(own.encoded)))
        otherwise = UNKNOWN if len(own.encoded) == len(own.found) else own.found[0]
        columns.append(Column(own.name, features, categories=own.encoded, otherwise=otherwise))
        place += len(features)
    return columns + [Column(name, [place + index]) for index, name in enumerate(encoder.features[place:])]
