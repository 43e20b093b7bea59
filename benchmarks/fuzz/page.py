"""The report's page as a whole, from what the stages wrote of a small run; its tables as in the paper and plots too."""

import json
from pathlib import Path
from typing import Any

from benchmarks.fuzz.parsers import Parser

ROOT = Path(__file__).parents[2]
DATASET, MODELS, SAMPLES = "planted-tokens", ("mult", "fl-i2moe"), 150
RUN = {"datasets": [DATASET], "models": list(MODELS), "seeds": [0, 1], "max_epochs": 1}
SMALL = {"hidden_dim": 8, "encoder_dim": 8, "num_patches": 2, "selection": "loss"}


def write_results() -> None:
    """Run all stages before the page on small synthetic data, with a model whose tokens are read and one without."""
    from stages.compare import compare
    from stages.datasets.planted.synthesize import synthesize
    from stages.datasets.tables.cohort import cohort
    from stages.datasets.tables.features import features
    from stages.evaluate import evaluate
    from stages.explain.__main__ import explain
    from stages.inputs.__main__ import inputs
    from stages.reference import reference
    from stages.settings.__main__ import settings
    from stages.train import train

    Path("params.yaml").write_text(json.dumps(_params()))
    settings()
    synthesize(DATASET)
    cohort(DATASET)
    features(DATASET)
    for model in MODELS:
        train(DATASET, model)
        evaluate(DATASET, model)
        explain(DATASET, model)
    reference(DATASET)
    inputs(DATASET)
    compare(DATASET)


def _params() -> dict[str, Any]:
    """Return the project's params.yaml with a run that takes seconds."""
    from stages.shared.base.params import read_params

    params = read_params(ROOT / "params.yaml")
    params["run"] |= RUN
    params["synthetic"]["planted"]["samples"] = SAMPLES
    params["models"]["defaults"] |= SMALL
    params["explain"]["tokens"] |= {"samples": 2, "top": 2, "draws": 2}
    return params


def read_results() -> None:
    """Draw the page."""
    from stages.report.page import report
    from stages.report.paper import write_paper
    from stages.report.plots import write_plots
    from stages.shared.runs import read_run

    report()
    write_paper(read_run())
    write_plots(read_run())


READ = (
    *("cards/*", "curves/*/*/*", "differences/*", "explanations/*/*/*", "inputs/*", "metrics/*/*.csv"),
    *("predictions/*/*", "settings/**/*.json"),
)
PARSERS = [
    Parser("report page", write_results, read_results, tuple(f"results/{pattern}" for pattern in READ), ("results/",)),
]
