"""Predict new samples from raw files without labels, with a model that was trained before; no stage of the graph."""

import contextlib
import importlib
import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.base.params import dataset_block

if TYPE_CHECKING:
    import pandas as pd

    from i2moe.signature import Signature
    from i2moe.trained import SeedPredictions
    from stages.shared.new import NewSamples

FAR = 0.01  # share of values outside of train from which on a feature is named
SHOWN = 5


def predict(
    dataset: Dataset,
    model: Model,
    raw: Annotated[Path, typer.Option(help="new raw files, laid out as those of the dataset; labels are not needed")],
    out: Annotated[Path, typer.Option(help="predictions to write, a row per sample: .parquet or .csv")],
) -> None:
    """Write predictions of new samples, and beside them, as OUT.drift.csv, how far they are from those of train."""
    from i2moe.data import SampleSet
    from i2moe.prepared import Prepared
    from i2moe.trained import TrainedModel
    from stages.shared.drift import drift_of

    if out.suffix not in (".parquet", ".csv"):
        raise InputError(f"{out}: allowed are .parquet and .csv")
    if not raw.exists():
        raise InputError(f"{raw} is missing: name the new raw files")
    trained = TrainedModel.open(paths.model_description(dataset, model).parent)
    train = Prepared(paths.features(dataset), paths.cohort(dataset))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".predict-") as folder:
        with contextlib.redirect_stdout(WithoutFolder(Path(folder))):
            new = prepare(dataset, raw, Path(folder))
        samples = SampleSet(Path(folder), trained.signature.modalities, new.sample_ids)
        table = predictions_table(trained.predict(samples), trained.signature, new.sample_ids)
        drift = drift_of(samples, train, new.unseen)
    write_table(table, out)
    drift.to_csv(out.with_name(f"{out.stem}.drift.csv"), index=False)
    say(out, new, drift)


class WithoutFolder(io.TextIOBase):
    """Prints to standard output, files of a folder that goes away by their names alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stdout = folder, sys.stdout

    def write(self, text: str) -> int:
        """Print a text."""
        self.stdout.write(text.replace(f"{self.folder}/", ""))
        return len(text)


def prepare(dataset: str, raw: Path, folder: Path) -> "NewSamples":
    """Let the dataset's own code write the arrays of new samples, with what was fitted on its train split.

    Raises:
        InputError: for a dataset that is not there, or files that do not fit those of train.
    """
    name, _ = dataset_block(dataset)
    new: NewSamples = importlib.import_module(f"stages.datasets.{name}.new").prepare(dataset, raw, folder)
    return new


def predictions_table(found: "SeedPredictions", signature: "Signature", sample_ids: list[str]) -> "pd.DataFrame":
    """Return a row per sample: what is predicted, and probabilities, numbers and weights with their spread over seeds.

    The spread is the standard deviation over seeds; of a single seed there is none.
    """
    import numpy as np
    import pandas as pd

    from i2moe.trained import probabilities

    def columns(values: "np.ndarray", names: list[str]) -> dict[str, "np.ndarray"]:
        mean = values.mean(axis=0)
        std = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(mean.shape, np.nan)
        both = {name: mean[:, index] for index, name in enumerate(names)}
        return both | {f"{name}_std": std[:, index] for index, name in enumerate(names)}

    table: dict[str, object] = {"sample_id": sample_ids}
    if signature.task == "regression":
        table |= columns(found.logits, ["value"])
    else:
        shares = probabilities(signature.task, found.logits)
        if signature.task == "multilabel":
            chosen = shares.mean(axis=0) > 0.5  # noqa: PLR2004
            table |= {f"predicted_{name}": chosen[:, index].astype(int) for index, name in enumerate(signature.classes)}
        else:
            table["predicted"] = np.array(signature.classes, object)[shares.mean(axis=0).argmax(axis=1)]
        table |= columns(shares, [f"probability_{name}" for name in signature.classes])
    if found.weights is not None:
        table |= columns(found.weights, [f"{name}.weight" for name in found.experts])
    return pd.DataFrame(table)


def write_table(table: "pd.DataFrame", out: Path) -> None:
    """Write a table whole or not at all."""
    from stages.shared.files import write_whole

    if out.suffix == ".csv":
        write_whole(out, lambda partial: table.to_csv(partial, index=False))
    else:
        write_whole(out, lambda partial: table.to_parquet(partial, index=False))


def say(out: Path, new: "NewSamples", drift: "pd.DataFrame") -> None:
    """Print how many samples there are, who cannot be predicted and why, and what is far from train."""
    print(f"{out}: {len(new.sample_ids)} sample{'' if len(new.sample_ids) == 1 else 's'}")
    for reason, count in new.removed.items():
        if count:
            print(f"  - {count} {reason}")
    for modality, own in drift.groupby("modality", sort=False):
        far = own[own["share"] > FAR]
        shown = ", ".join(f"{row.feature} {row.share:.0%}" for row in far.head(SHOWN).itertuples())
        more = f": {shown}" if len(far) else ""
        print(f"  {modality}: {own['share'].mean():.1%} of values are outside of what train had{more}")


if __name__ == "__main__":
    run(predict)
