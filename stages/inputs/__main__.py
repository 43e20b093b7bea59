"""Inputs of single test samples, for people to look at: thumbnails, texts, columns and series."""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i2moe.contract.descriptions import CohortDescription
from i2moe.contract.planted import read_planted
from stages.inputs.columns import fitted_columns
from stages.inputs.draw import draw
from stages.inputs.numbers import named, present, show_sequences, show_vectors
from stages.inputs.thumbnails import show_images, show_volumes
from stages.shared.base import paths
from stages.shared.base.command import Dataset, run
from stages.shared.base.params import dataset_block
from stages.shared.files import write_whole
from stages.shared.inputs import Images, Inputs, Raw, Shown, ShownTexts, Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from i2moe.prepared import Prepared

CUT = 600  # characters of a text
NONE_SHOWN = "none: the dataset's licence is restricted"


def inputs(dataset: Dataset) -> None:
    """Write results/inputs/DATASET.json: at most 500 test samples with what each modality's input is.

    Raises:
        InputError: for an unknown dataset, features or raw files that cannot be read.
    """
    code, block = dataset_block(dataset)
    cohort = CohortDescription.read(paths.cohort(dataset).with_suffix(".json"))
    if may_show(cohort, Path(block["raw"])):
        found = show(dataset, code)
    else:
        found = Inputs(samples=[], of=cohort.splits["test"].samples, how=NONE_SHOWN, modalities={})
    path, text = paths.inputs(dataset), found.to_json()
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    print(f"{path}: {len(found.samples)} of {found.of} test samples, {len(text) / 1e3:.0f} kB")


def may_show(cohort: CohortDescription, raw: Path) -> bool:
    """Return whether single samples may be shown: of an open licence, or of synthetic files in place of licensed ones.

    Both the cohort and the raw files as they are now must say that they are synthetic: the settings may name other
    files since.
    """
    return cohort.licence == "open" or (cohort.shows_samples and read_planted(raw) is not None)


def show(dataset: str, code: str) -> Inputs:
    """Draw test samples and show each modality: as its raw files have it, or else by its features.

    Args:
        dataset: name.
        code: the folder of its code under stages/datasets.
    """
    from i2moe.prepared import Prepared

    features = Prepared(paths.features(dataset), paths.cohort(dataset))
    rows, how = draw(features)
    ids = np.array(features.sample_ids, object)[rows]
    having = {name: ids[present(features, name, rows)].tolist() for name in features.modalities}
    raw = read_raw(dataset, code, having)
    shown = {name: show_modality(dataset, features, name, rows, raw.get(name)) for name in features.modalities}
    modalities = {name: own for name, own in shown.items() if own is not None}
    return Inputs(samples=ids.tolist(), of=len(features.rows("test")), how=how, modalities=modalities)


def read_raw(dataset: str, code: str, samples: dict[str, list[str]]) -> dict[str, Raw]:
    """Let the dataset's own code read raw files, if it has any; arguments and result as in `stages.shared.inputs`."""
    module = f"stages.datasets.{code}.inputs"
    if importlib.util.find_spec(module) is None:
        return {}
    found: dict[str, Raw] = importlib.import_module(module).raw_inputs(dataset, samples)
    return found


def cut(text: str) -> str:
    """Return a text without space around it, and its beginning where it is long."""
    text = text.strip()
    return text if len(text) <= CUT else f"{text[:CUT]}…"


def show_modality(
    dataset: str, features: "Prepared", modality: str, rows: "NDArray[np.int64]", raw: Raw | None
) -> Shown | None:
    """Return a modality of samples [N] as its raw files have it, or else by its features; None for a network's maps."""
    kind, is_there = features.kinds[modality], present(features, modality, rows)
    if isinstance(raw, Images):
        return show_images(raw.paths, is_there, raw.source)
    if isinstance(raw, Texts):
        texts = iter(raw.texts)
        return ShownTexts(texts=[cut(next(texts)) if own else None for own in is_there])
    if kind == "vector":
        columns = raw.columns if raw else fitted_columns(paths.fitted(dataset, modality), named(features, modality))
        return show_vectors(features, modality, rows, columns)
    if kind == "sequence":
        from i2moe.prepared import read_words

        words = read_words(paths.words(dataset, modality), features.lengths[modality])
        return show_sequences(features, modality, rows, words)
    return show_volumes(features, modality, rows, is_there) if kind == "volume" else None


if __name__ == "__main__":
    run(inputs)
