"""From files to a trained model without code: an image, a text and ten numbers a row, of synthetic data.

The label is the exclusive or of what the image shows (a bright or a dark square) and what the text says (calm or loud
words), so that no modality knows anything alone. `python -m benchmarks.files` writes the files, puts a block into a
copy of params.yaml, runs the stages, and prints the score of the model and of each modality alone.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from PIL import Image
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.base.command import run

CALM, LOUD = ["quiet", "still", "soft", "gentle", "slow"], ["harsh", "loud", "sharp", "rough", "fast"]
FILLER = ["the", "of", "and", "with", "patient", "seen", "today", "again", "left", "right"]
SIDE = 32  # pixels
BLOCK = {
    "files": ["table.csv"],
    "id": "sample",
    "label": "label",
    "task": "binary",
    "licence": "open",
    "modalities": {
        "picture": {"image": {"column": "picture", "network": "resnet18", "batch_size": 32}},
        "report": {"text": {"column": "report", "dim": 16}},
        "person": {"prefix": "number_"},
    },
}
DEFAULTS = {
    "encoder_dim": 64,
    "num_patches": 2,
    "hidden_dim": 32,
    "dropout": 0.1,
    "learning_rate": 3e-3,
    "epochs": 20,
}


def write_files(folder: Path, samples: int, seed: int = 0) -> None:
    """Write synthetic raw files: pictures, and a table with paths, texts, ten numbers of noise and the label."""
    generator = np.random.default_rng(seed)
    is_bright, is_loud = generator.integers(0, 2, (2, samples)).astype(bool)
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for row in range(samples):
        pixels = generator.integers(90, 165, (SIDE, SIDE, 3))
        top, left = generator.integers(0, SIDE - 16, 2)
        pixels[top : top + 16, left : left + 16] += 80 if is_bright[row] else -80
        name = f"synthetic-{row:05d}"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "pictures" / f"{name}.png")
        told = [*generator.choice(LOUD if is_loud[row] else CALM, 4), *generator.choice(FILLER, 12)]
        rows.append([name, f"pictures/{name}.png", " ".join(generator.permutation(told))])
    table = pd.DataFrame(rows, columns=["sample", "picture", "report"])
    for index in range(10):
        table[f"number_{index}"] = generator.normal(size=samples).round(4)
    table["label"] = np.where(is_bright ^ is_loud, "yes", "no")
    table.to_csv(folder / "table.csv", index=False)


def write_params(folder: Path, modalities: list[str], epochs: int) -> None:
    """Write params.yaml with a block for the files, as a user adds one."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml").read_text())
    chosen = {name: BLOCK["modalities"][name] for name in modalities}  # type: ignore[index]
    params["data"]["tables"]["files"] = BLOCK | {"raw": "synthetic-files", "modalities": chosen}
    params["models"]["files"] = {"defaults": DEFAULTS | {"epochs": epochs}, "mult": {"fusion": {"num_layers": 1}}}
    params["run"] |= {"datasets": ["files"], "seeds": [0], "models": ["i2moe-mult" if len(chosen) > 1 else "mult"]}
    with (folder / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)


def measure(folder: Path, modalities: list[str], epochs: int) -> float:
    """Run the stages on some modalities in a folder that holds the files; return the test AUROC."""
    import contextlib

    from stages.datasets.tables.cohort import cohort
    from stages.datasets.tables.features import features
    from stages.evaluate import evaluate
    from stages.settings.__main__ import settings
    from stages.train import train

    write_params(folder, modalities, epochs)
    model = "i2moe-mult" if len(modalities) > 1 else "mult"
    with contextlib.chdir(folder):
        settings()
        cohort("files")
        features("files")
        train("files", model)
        evaluate("files", model)
        scores = pd.read_csv(paths.scores("files", model)).set_index(["split", "metric"])["mean"]
    return float(scores["test", "auroc"])


def files(
    samples: Annotated[int, typer.Option(help="rows")] = 2000,
    epochs: Annotated[int, typer.Option(help="of each training")] = 20,
) -> None:
    """Print a table of test AUROC: the model on all three modalities, and each alone."""
    if samples < 100:  # noqa: PLR2004
        raise InputError(f"--samples {samples}: 100 at least")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "synthetic-files", samples)
        for modalities in (["picture", "report", "person"], ["picture"], ["report"], ["person"]):
            start = time.perf_counter()
            score = measure(folder, modalities, epochs)
            rows.append((" + ".join(modalities), score, time.perf_counter() - start))
            shutil.rmtree(folder / "data" / "features", ignore_errors=True)
    print("\n| modalities (synthetic) | test AUROC | seconds, files to scores |\n|---|---|---|")
    for shown, score, seconds in rows:
        print(f"| {shown} | {score:.3f} | {seconds:.0f} |")
    sys.stdout.flush()


if __name__ == "__main__":
    run(files)
