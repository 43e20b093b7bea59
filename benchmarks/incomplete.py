"""Whether it pays to keep samples that lack a modality: against complete cases, and against the train mean.

`python -m benchmarks.incomplete` takes one modality, at random, from 60 % of the train and validation samples, of
synthetic planted data (a bit that each of two modalities shows alone: four classes) and of scikit-learn's digits (upper
and lower half), and trains the same model in three ways: with a learned token for what is absent, with its features at
the train mean, and on the complete samples alone. Test samples are complete, or lack as much as train; a model that was
trained on complete samples then sees the train mean.
"""

import tempfile
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.planted.training import train, write_cohort, write_vectors
from i2moe.data import FeatureSet
from i2moe.inference import predict
from i2moe.model.config import ModelConfig
from i2moe.resampling import difference, resampled, units_of
from i2moe.selection import TASK_METRICS, Floats
from stages.datasets.planted.generators import composite, terms
from stages.shared.base.command import run

MISSING = 0.6  # share of samples that lack one modality
ARMS = {"keep, a learned token": "token", "keep, at the train mean": "mean", "complete cases": "complete"}
SPLITS = ("train", "validation", "test")
CONFIG = {
    "encoder": "mlp",
    "encoder_dim": 64,
    "num_patches": 2,
    "hidden_dim": 32,
    "dropout": 0.1,
    "fusion": {"method": "mult", "num_layers": 1, "num_heads": 4},
    "interaction": {"loss_weight": 0.1},
    "reweighting": {"hidden_dim": 64, "num_layers": 2, "temperature": 1.0},
    "learning_rate": 1e-3,
    "batch_size": 32,
    "selection": "accuracy",
}


class Data(NamedTuple):
    """N samples in two modalities, their classes, and their splits."""

    inputs: dict[str, NDArray[np.float64]]  # [N, F]
    labels: NDArray[np.int64]  # [N]
    splits: NDArray[np.str_]  # [N]


def planted(num_train: int) -> Data:
    """Draw synthetic data: each of two modalities shows a bit of the label that the other does not."""
    sizes = num_train, num_train // 3, 1500
    drawn = composite([term for term in terms() if term.role == "uniqueness"], sum(sizes), 0)
    return Data({name: own.astype(float) for name, own in drawn.inputs.items()}, drawn.labels, np.repeat(SPLITS, sizes))


def digits(num_train: int) -> Data:
    """Return scikit-learn's digits, their upper and lower half, in random splits."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    pixels = bunch.data[order]
    sizes = num_train, num_train // 3, len(order) - num_train - num_train // 3
    return Data({"top": pixels[:, :32], "bottom": pixels[:, 32:]}, bunch.target[order], np.repeat(SPLITS, sizes))


def presence_of(data: Data, *, test_too: bool) -> NDArray[np.bool_]:
    """Draw which samples have which modality, [N, 2]: a share of MISSING lacks one of the two."""
    generator = np.random.default_rng(1)
    presence = np.ones((len(data.labels), 2), bool)
    lacks = generator.random(len(data.labels)) < MISSING
    lacks &= test_too | (data.splits != "test")
    rows = np.flatnonzero(lacks)
    presence[rows, generator.integers(0, 2, len(rows))] = False
    return presence


def write(folder: Path, data: Data, presence: NDArray[np.bool_], arm: str) -> FeatureSet:
    """Write the data by the contract, scaled with the train samples that have a modality, and open them."""
    kept = presence.all(axis=1) | (data.splits == "test") if arm == "complete" else np.ones(len(data.labels), bool)
    folder.mkdir()
    for index, (name, values) in enumerate(data.inputs.items()):
        own = values[(data.splits == "train") & presence[:, index] & kept]
        scales = own.std(axis=0)
        scaled = (values - own.mean(axis=0)) / np.where(scales > 0, scales, 1)
        scaled[~presence[:, index]] = 0
        write_vectors(folder, name, scaled[kept])
        np.save(folder / f"{name}.present.npy", presence[kept, index])
    classes = [str(label) for label in range(int(data.labels.max()) + 1)]
    path = folder / "cohort.csv"
    names = np.array(classes)[data.labels[kept]]
    write_cohort(path, "multiclass", classes, list(data.inputs), names, data.splits[kept])
    return FeatureSet(folder, path)


def logits_of(data: Data, arm: str, seeds: int, epochs: int, *, is_mixture: bool, bar: tqdm) -> list[Floats]:
    """Train on incomplete samples; return test logits [S, N, C] on complete and on incomplete test samples."""
    own = {} if is_mixture else {"interaction": None, "reweighting": None}
    settings = CONFIG | own | {"epochs": epochs, "absent": "token" if arm == "token" else "mean"}
    config = ModelConfig.model_validate(settings)
    found: list[list[Floats]] = [[], []]
    with tempfile.TemporaryDirectory() as name:
        sets = [
            write(Path(name) / str(test_too), data, presence_of(data, test_too=test_too), arm)
            for test_too in (False, True)
        ]
        for seed in range(seeds):
            model = train(sets[0], config, seed, Path(name))
            for logits, features in zip(found, sets, strict=True):
                logits.append(predict(model, features, "test").logits.astype(float))
            bar.update()
    return [np.stack(own) for own in found]


def incomplete(
    seeds: Annotated[int, typer.Option(help="of each model")] = 5,
    epochs: Annotated[int, typer.Option(help="of each training")] = 30,
    num_train: Annotated[int, typer.Option(help="train samples")] = 600,
) -> None:
    """Print accuracy by way to train, and its difference from complete cases with the 95 % interval."""
    compute = TASK_METRICS["multiclass"]["accuracy"].compute
    cases = [(make(num_train), name) for make, name in ((planted, "planted (synthetic)"), (digits, "digits"))]
    rows = []
    with tqdm(total=len(cases) * 2 * len(ARMS) * seeds, desc="trainings", mininterval=1, dynamic_ncols=True) as bar:
        for data, name in cases:
            labels = data.labels[data.splits == "test"]
            units = units_of("multiclass", labels)
            for model, is_mixture in (("i2moe-mult", True), ("mult", False)):
                by_arm = {
                    title: logits_of(data, arm, seeds, epochs, is_mixture=is_mixture, bar=bar)
                    for title, arm in ARMS.items()
                }
                for place, test in enumerate(("complete", "incomplete")):
                    scores = {
                        title: (
                            np.array([float(compute(labels, one)) for one in own[place]]),
                            resampled(compute, labels, own[place], units),
                        )
                        for title, own in by_arm.items()
                    }
                    for title, own in scores.items():
                        gap = difference(own, scores["complete cases"], units)
                        rows.append([name, model, test, title, f"{own[0].mean():.3f}", _shown(title, gap)])
    print("\n| data | model | test samples | trained on | accuracy | less complete cases |\n|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def _shown(title: str, gap: object) -> str:
    if title == "complete cases":
        return ""
    return f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"  # type: ignore[attr-defined]


if __name__ == "__main__":
    run(incomplete)
