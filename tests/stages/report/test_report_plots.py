"""The plots of DVC: their data by hand, and that DVC draws them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.report.plots import write_plots
from stages.shared.runs import Run

ROOT = Path(__file__).parents[3]
DVC = Path(sys.executable).with_name("dvc")
PLOTS = {next(iter(plot)): next(iter(plot.values())) for plot in YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]}
COLUMNS = {
    "losses": ["dataset", "model", "seed", "split", "epoch", "loss"],
    "confusion": ["dataset", "model", "actual", "predicted", "count", "share"],
    "weights": ["dataset", "model", "seed", "expert", "weight"],
}


def write_model(dataset, model, *, task, weights):
    """Write curves, predictions and card of a model with two seeds: three test samples, of classes a, a and b."""
    classes = ["a", "b"] if task == "binary" else []
    outputs = classes or ["value"]
    about = {"dataset": dataset, "task": task, "classes": classes, "modalities": ["x"], "licence": "restricted"}
    about |= {"samples_in_raw_data": 3, "samples": 3, "groups": 3, "removed": {}, "flow": [], "split": "by shares"}
    card = Path(f"results/cards/{dataset}.json")
    card.parent.mkdir(parents=True, exist_ok=True)
    card.write_text(json.dumps({"cohort": about | {"splits": {"test": {"samples": 3}}}, "notes": {}}))
    curves = Path(f"results/curves/{dataset}/{model}")
    curves.mkdir(parents=True)
    labels = ["a", "a", "b"] if classes else ["1", "2", "3"]
    parts = []
    for seed, predicted in enumerate((["a", "b", "b"], ["a", "a", "a"])):
        table = pd.DataFrame({"epoch": [1, 2], "train_task_loss": [1.0, 0.5], "train_total_loss": 9.0})
        table = table.assign(validation_accuracy=0.5, validation_loss=[2.0, 1.0 + seed])
        table.to_csv(curves / f"{seed}.csv", index=False)
        part = pd.DataFrame({"seed": seed, "sample_id": ["p", "q", "r"], "split": "test", "label": labels})
        for name in outputs:
            part[f"logit_{name}"] = (np.array(predicted) == name).astype(float)
        for expert, weight in weights.items():
            part[f"{expert}.weight"] = np.array([weight, weight, weight + 0.3]) + seed / 10
            part = part.assign(**{f"{expert}.logit_{name}": 0.0 for name in outputs})
        parts += [part, part.assign(split="train", sample_id=["s", "t", "u"])]
    path = Path(f"results/predictions/{dataset}/{model}.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(parts).to_parquet(path, index=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a run without files."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(datasets, models):
    """Write the plots' data of a run; return them by name."""
    run = Run(
        datasets=datasets,
        models=models,
        seeds=[0, 1],
        max_epochs=None,
        max_batch_size=None,
        stand_ins=[],
        split_seed=0,
        vanilla={},
        bases={},
    )
    write_plots(run)
    return {name: pd.read_csv(f"results/plots/{name}.csv") for name in COLUMNS}


@pytest.mark.usefixtures("folder")
def test_all_seeds_and_models_are_in_one_table_of_each_plot():
    write_model("tiny", "mult", task="binary", weights={})
    write_model("tiny", "i2moe", task="binary", weights={"synergy": 0.2})
    tables = written({"tiny": "tiny (synthetic)"}, ["mult", "i2moe"])
    assert {name: table.columns.tolist() for name, table in tables.items()} == COLUMNS
    for table in tables.values():
        assert set(table["dataset"]) == {"tiny (synthetic)"}
    losses = tables["losses"]
    assert len(losses) == 2 * 2 * 2 * 2
    last = losses[(losses["model"] == "i2moe") & (losses["epoch"] == 2)]
    assert last[["seed", "split", "loss"]].to_numpy().tolist() == [
        [0, "train", 0.5],
        [0, "validation", 1.0],
        [1, "train", 0.5],
        [1, "validation", 2.0],
    ]
    confusion = tables["confusion"][tables["confusion"]["model"] == "mult"]
    assert confusion[["actual", "predicted", "count", "share"]].to_numpy().tolist() == [
        ["a", "a", 3, 0.75],  # of class a, two test samples in two seeds
        ["a", "b", 1, 0.25],
        ["b", "a", 1, 0.5],
        ["b", "b", 1, 0.5],
    ]
    assert tables["weights"][["model", "seed", "expert"]].to_numpy().tolist() == [
        ["i2moe", 0, "synergy"],
        ["i2moe", 1, "synergy"],
    ]
    assert tables["weights"]["weight"].tolist() == pytest.approx([0.3, 0.4])


def test_no_table_has_a_row_of_a_single_sample(folder):
    write_model("tiny", "i2moe", task="binary", weights={"synergy": 0.2})
    written({"tiny": "tiny"}, ["i2moe"])
    for name in COLUMNS:
        assert "sample" not in (folder / f"results/plots/{name}.csv").read_text()


@pytest.mark.usefixtures("folder")
def test_what_a_run_does_not_have_leaves_a_header():
    """A vanilla model that predicts numbers has neither classes nor weights."""
    write_model("tiny", "mult", task="regression", weights={})
    tables = written({"tiny": "tiny"}, ["mult"])
    assert len(tables["losses"]) == 8
    assert tables["confusion"].empty
    assert tables["weights"].empty
    assert {name: table.columns.tolist() for name, table in tables.items()} == COLUMNS


def fields_of(node):
    """Return the columns that a template names."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    own = {node["field"]} if isinstance(node, dict) and isinstance(node.get("field"), str) else set()
    return own.union(*map(fields_of, children))


@pytest.mark.parametrize("plot", PLOTS)
def test_a_template_draws_columns_that_its_data_have(plot):
    about = PLOTS[plot]
    (path,) = about["y"]
    template = json.loads((ROOT / ".dvc/plots" / f"{about['template']}.json").read_text())
    assert template["data"]["values"] == "<DVC_METRIC_DATA>"
    computed = {"run", "rev", "<DVC_METRIC_X>", "<DVC_METRIC_Y>"}
    assert fields_of(template) - computed <= set(COLUMNS[Path(path).stem])
    assert {about["x"][path], about["y"][path]} <= set(COLUMNS[Path(path).stem])


def test_dvc_draws_every_plot_and_those_without_rows_are_left_out(folder):
    for command in (["git", "init", "--quiet"], [DVC, "init", "--quiet"]):
        subprocess.run(command, check=True, cwd=folder)
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    with (folder / "dvc.yaml").open("w") as stream:
        YAML().dump({"plots": [{name: about} for name, about in PLOTS.items()]}, stream)
    write_model("tiny", "i2moe", task="binary", weights={"synergy": 0.2})
    written({"tiny": "tiny"}, ["i2moe"])
    shown = json.loads(subprocess.check_output([DVC, "plots", "show", "--json"], cwd=folder))
    assert "errors" not in shown
    assert [len(plot[0]["content"]["data"]["values"]) for plot in shown["data"].values()] == [8, 4, 2]
    write_model("other", "mult", task="regression", weights={})
    written({"other": "other"}, ["mult"])
    page = subprocess.check_output([DVC, "plots", "show"], cwd=folder, text=True).strip().removeprefix("file://")
    assert "Task loss by epoch" in Path(page).read_text()
    assert "Test predictions by class" not in Path(page).read_text()
