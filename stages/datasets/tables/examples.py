"""Write the two example tables that ship inside scikit-learn, so that a fresh clone needs no download."""

from typing import Annotated

import typer

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.base.command import run

EXAMPLES = ("wdbc", "digits")


def examples(name: Annotated[str, typer.Argument(help="wdbc or digits")]) -> None:
    """Write data/examples/NAME.csv: one row per sample, features under scikit-learn's names, and the class's name."""
    from sklearn import datasets

    if name not in EXAMPLES:
        raise InputError(f"unknown example {name!r}; allowed: {', '.join(EXAMPLES)}")
    bunch = (datasets.load_breast_cancer if name == "wdbc" else datasets.load_digits)(as_frame=True)
    table = bunch.data.copy()
    label = "diagnosis" if name == "wdbc" else "digit"
    table.insert(0, "sample", [f"{name}-{row:04d}" for row in range(len(table))])
    table.insert(1, label, [bunch.target_names[target] for target in bunch.target])
    target = paths.EXAMPLES / f"{name}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(target, index=False)
    print(f"{target}: {len(table)} samples, {table.shape[1] - 2} features")


if __name__ == "__main__":
    run(examples)
