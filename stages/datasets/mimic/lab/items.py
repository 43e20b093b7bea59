"""The measurements that are read: items.csv, one row per itemid, checked against the data's own dictionaries."""

from pathlib import Path

import pandas as pd

from i2moe.base.errors import InputError
from stages.datasets.mimic.source import Source

# Each item's feature, kind (lab | vital), table, itemid and label; the units it comes in, separated by |; its plausible
# range low < value <= high in these units; and the conversion to the feature's unit where that is another one.
ITEMS = Path(__file__).with_name("items.csv")
DICTIONARIES = {"labevents": "d_labitems", "chartevents": "d_items"}
# SQL from a value in the item's unit to the feature's unit, by the names that items.csv uses.
CONVERSIONS = {"": "valuenum", "fahrenheit_to_celsius": "(valuenum - 32) * 5 / 9"}


def read_items() -> pd.DataFrame:
    """Return items.csv as it is written, an empty text where a cell is empty."""
    text = dict.fromkeys(("feature", "kind", "table", "label", "unit", "conversion"), str)
    return pd.read_csv(ITEMS, dtype=text, keep_default_na=False)


def check_labels(source: Source, items: pd.DataFrame, table: str) -> None:
    """Compare each item's label with the dictionary of the data at hand.

    Raises:
        InputError: naming the itemid and both labels where they differ, or the itemid that the dictionary lacks.
    """
    dictionary = DICTIONARIES[table]
    found = source.frame(f"SELECT itemid, label FROM {source.scan(dictionary)}", dictionary)  # noqa: S608
    labels = dict(zip(found["itemid"], found["label"], strict=True))
    for item in items[items["table"] == table].to_dict("records"):
        name = f"{source.path(dictionary)}: itemid {item['itemid']}"
        if item["itemid"] not in labels:
            raise InputError(f"{name} is missing, {ITEMS.name} calls it {item['label']!r}: correct {ITEMS}")
        if labels[item["itemid"]] != item["label"]:
            raise InputError(
                f"{name} has another label, {ITEMS.name} calls it {item['label']!r}: "
                f"correct the itemid or the label in {ITEMS}"
            )
