"""Subjects of ADNI for people to look at: the columns of clinical, biospecimen and genetic features in their unit."""

from collections.abc import Mapping
from typing import Any

from i2moe.contract.descriptions import ModalityDescription
from stages.shared.base import paths
from stages.shared.inputs import Column, Columns, Raw


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return the columns of vectors; scans are shown by their features; see `stages.shared.inputs`."""
    found: dict[str, Raw] = {}
    for name in samples:
        description = ModalityDescription.read(paths.features(dataset) / f"{name}.json")
        if description.kind == "vector":
            found[name] = Columns(columns_of(description))
    return found


def columns_of(description: ModalityDescription) -> list[Column]:
    """Return what features are made of: numbers that their range in train scales to [-1, 1], then categories.

    A category is named COLUMN_CODE, and 1 where a subject has it, else -1.
    """
    about: dict[str, Any] = description.model_extra or {}
    ranges: dict[str, Any] = (description.fitted and description.fitted.model_extra) or {}
    names, low, high = about["features"], ranges.get("low", []), ranges.get("high", [])
    halves = [((top - bottom) or 1) / 2 for bottom, top in zip(low, high, strict=True)]
    numbers = [
        Column(name, [place], bottom + half, half)
        for place, (name, bottom, half) in enumerate(zip(names, low, halves, strict=False))
    ]
    known = sorted(about.get("share_of_subjects_missing", {}), key=len, reverse=True)
    codes: dict[str, dict[int, str]] = {}  # by column, the code of each of its features
    for place in range(len(numbers), len(names)):
        owner = next((column for column in known if names[place].startswith(f"{column}_")), names[place])
        codes.setdefault(owner, {})[place] = names[place][len(owner) + 1 :]
    return numbers + [
        Column(owner, list(own), categories=list(own.values()))
        if any(own.values())
        else Column(owner, list(own), 0.5, 0.5)
        for owner, own in codes.items()
    ]
