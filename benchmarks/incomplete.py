"""Whether it pays to keep samples that lack a modality: against complete cases, and against samples that lack nothing.

`python -m benchmarks.incomplete` takes one modality, at random, from 60 % of the train and validation samples, and
trains the same model in four ways: with a learned token for what is absent, with its features at the train mean, on the
complete samples alone, and on all samples before anything was taken. All take as many steps, so that whoever has more
samples is not trained for longer. Test samples are complete, or lack as much as train; where a model has no token it
then sees the train mean.

Planted data are synthetic: normal columns around the mean of a sample's class, so many and so weak that it matters how
many train samples the means are learned from. The accuracy of the best possible model is printed too. In two controls
one modality is constant: where it is the one that is taken, a model should lose nothing by it; where the other one is
taken, what is left says nothing, and keeping it should gain nothing. The digits are scikit-learn's, in upper and lower
half.

A draw has its own class means, samples, missing modalities and seed; of digits, its own part of the images. All ways to
train see the same draws. Intervals are Student's, of the differences by draw: 95 % for draws to come.
"""

import math
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product, repeat
from multiprocessing import get_context
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
from stages.shared.base.command import run

MISSING = 0.6  # share of samples that lack one modality
COLUMNS, CLASSES = 64, 4  # of a planted modality; of its label
SPREAD = 2.5  # of class means from their centre, in standard deviations of the noise
TEST = 1000  # planted samples
BATCH = 32
TOKEN, MEAN, COMPLETE, ALL = ARMS = ("keep, a learned token", "keep, at the train mean", "complete cases", "no gaps")
BEST = "the best possible model"
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
    "batch_size": BATCH,
    "selection": "accuracy",
}
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Data(NamedTuple):
    """N samples in two modalities, their classes and splits, and which modalities may be taken."""

    inputs: dict[str, Floats]  # [N, F]
    labels: NDArray[np.int64]  # [N]
    splits: NDArray[np.str_]  # [N]
    taken: tuple[int, ...] = (0, 1)
    means: Floats | None = None  # of the classes, [M, C, F], where they are known


def planted(draw: int, num_train: int, *, telling: tuple[int, ...] = (0, 1), taken: tuple[int, ...] = (0, 1)) -> Data:
    """Draw synthetic data: in the telling modalities the class moves every column a little; others are constant."""
    generator = np.random.default_rng([draw, 0])
    means = generator.normal(size=(2, CLASSES, COLUMNS)) * SPREAD / np.sqrt(COLUMNS)
    splits = np.repeat(SPLITS, (num_train, num_train // 3, TEST))
    labels = generator.integers(CLASSES, size=len(splits))
    values = means[:, labels] + generator.normal(size=(2, len(splits), COLUMNS))
    is_constant = ~np.isin([0, 1], telling)
    values[is_constant] = means[is_constant] = 0
    return Data(dict(zip(("first", "second"), values, strict=True)), labels, splits, taken, means)


def digits(draw: int, draws: int) -> Data:
    """Return the part of scikit-learn's digits that belongs to a draw: half of it train, a sixth validation."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    size = len(bunch.target) // draws
    own = np.random.default_rng(0).permutation(len(bunch.target))[draw * size : (draw + 1) * size]
    splits = np.repeat(SPLITS, (size // 2, size // 6, size - size // 2 - size // 6))
    pixels = bunch.data[own]
    return Data({"top": pixels[:, :32], "bottom": pixels[:, 32:]}, bunch.target[own], splits)


def presence_of(data: Data, draw: int) -> Bools:
    """Draw which samples have which modality, [N, 2]: a share of MISSING lacks one of those that may be taken."""
    generator = np.random.default_rng([draw, 1])
    presence = np.ones((len(data.labels), 2), bool)
    rows = np.flatnonzero(generator.random(len(data.labels)) < MISSING)
    presence[rows, generator.choice(data.taken, len(rows))] = False
    return presence


def best_accuracy(data: Data, means: Floats, presence: Bools) -> float:
    """Return the test accuracy of who knows the class means [2, C, F]: the nearest one, by what is present [N, 2]."""
    distances = sum(
        has[:, None] * (np.square(own).sum(axis=1) - 2 * values @ own.T)
        for values, own, has in zip(data.inputs.values(), means, presence.T, strict=True)
    )
    return float((np.argmin(distances, axis=1) == data.labels)[data.splits == "test"].mean())


def write(folder: Path, data: Data, presence: Bools, arm: str) -> FeatureSet:
    """Write the data by the contract, scaled with the train samples that have a modality, and open them."""
    kept = presence.all(axis=1) | (data.splits == "test") if arm == COMPLETE else np.ones(len(data.labels), bool)
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


def accuracies(data: Data, draw: int, arm: str, settings: dict[str, object], steps: int) -> tuple[float, float]:
    """Train in one of the ways; return the accuracy on complete and on incomplete test samples."""
    lacking = presence_of(data, draw)
    is_test = data.splits == "test"
    trained_on = lacking | (arm == ALL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        complete = write(folder / "complete", data, trained_on | is_test[:, None], arm)
        incomplete = write(folder / "incomplete", data, np.where(is_test[:, None], lacking, trained_on), arm)
        epochs = max(1, round(steps / math.ceil(len(complete.rows("train")) / BATCH)))
        own = {"epochs": epochs, "absent": "token" if arm == TOKEN else "mean"}
        model = train(complete, ModelConfig.model_validate(settings | own), draw, folder)
        found = [predict(model, test, "test").logits.argmax(axis=1) for test in (complete, incomplete)]
    one, other = (float((chosen == data.labels[is_test]).mean()) for chosen in found)
    return one, other


def scores_of(data: Data, draw: int, settings: dict[str, object], steps: int) -> dict[str, tuple[float, float]]:
    """Return the accuracy on complete and on incomplete test samples, by way to train, and the best possible one."""
    scores = {arm: accuracies(data, draw, arm, settings, steps) for arm in ARMS}
    if data.means is not None:
        lacking = presence_of(data, draw)
        one, other = (best_accuracy(data, data.means, presence) for presence in (np.ones_like(lacking), lacking))
        scores[BEST] = one, other
    return scores


def less(first: list[float], second: list[float]) -> str:
    """Show the mean difference of two scores by draw, [D] each, and its 95 % interval over draws."""
    from scipy.stats import ttest_1samp

    gaps = np.subtract(first, second)
    low, high = ttest_1samp(gaps, 0).confidence_interval()
    return f"{gaps.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def show(case: str, model: str, scores: list[dict[str, tuple[float, float]]]) -> None:
    """Print a row for each kind of test samples and way to train, from the scores of every draw."""
    for place, test in enumerate(("complete", "incomplete")):
        by_arm = {arm: [own[arm][place] for own in scores] for arm in scores[0]}
        for arm, own in by_arm.items():
            gaps = ["" if arm in (BEST, other) else less(own, by_arm[other]) for other in (COMPLETE, ALL)]
            print(f"| {' | '.join([case, model, test, arm, f'{np.mean(own):.3f}', *gaps])} |")


def incomplete(
    draws: Annotated[int, typer.Option(help="of the data, one training each", min=2)] = 6,
    first: Annotated[int, typer.Option(help="number of the first draw")] = 0,
    steps: Annotated[int, typer.Option(help="of each training")] = 120,
    num_train: Annotated[int, typer.Option(help="train samples of planted data")] = 240,
    processes: Annotated[int, typer.Option(help="at once")] = 2,
) -> None:
    """Print accuracy by way to train, and its differences with the 95 % interval over draws."""
    numbers = range(first, first + draws)
    first_tells = partial(planted, num_train=num_train, telling=(0,))
    cases = {
        "planted (synthetic)": [planted(draw, num_train) for draw in numbers],
        "digits": [digits(draw, draws) for draw in range(draws)],
        "what is missing tells nothing (synthetic)": [first_tells(draw, taken=(1,)) for draw in numbers],
        "what is left tells nothing (synthetic)": [first_tells(draw, taken=(0,)) for draw in numbers],
    }
    models = {"i2moe-mult": CONFIG, "mult": CONFIG | {"interaction": None, "reweighting": None}}
    print("| data | model | test samples | trained on | accuracy | less complete cases | less no gaps |")
    print("|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [
            (case, model, pool.map(scores_of, drawn, numbers, repeat(settings), repeat(steps)))
            for (model, settings), (case, drawn) in product(models.items(), cases.items())
        ]
        for case, model, scores in waiting:
            show(case, model, list(tqdm(scores, f"{case}, {model}", draws, mininterval=1, dynamic_ncols=True)))


if __name__ == "__main__":
    run(incomplete)
