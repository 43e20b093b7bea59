"""The command of the paper's experiment, rehearsed as docs/paper.md says, on one dataset and two of its models."""

import json
import re
import sys
from pathlib import Path

import pandas as pd

from tests.pipeline.test_pipeline import clone, environment, run

__all__ = ["environment"]  # a fixture

FEWER = {
    "run.datasets": "[enrico]",
    "run.models": "[mult, i2moe-mult]",
    "models.enrico.defaults.hidden_dim": "8",
    "models.defaults.encoder_dim": "8",
    "models.defaults.num_patches": "2",
}


def test_one_command_goes_from_the_profile_over_the_estimate_to_the_report(tmp_path, environment):
    folder = clone(tmp_path / "project", environment)
    (folder / ".venv").symlink_to(sys.prefix)  # in place of the installation that `make` begins with
    settings = " ".join(f"-S '{key}={value}'" for key, value in FEWER.items())
    command = ["make", "-o", ".venv/.installed", "paper", "PROFILES=paper paper-smoke", f"SET={settings}"]
    output = run(command, folder, environment)
    steps = ["run.max_epochs: null → 1", "trainings: 2, of which 0 were done before", "training, an estimate: 0:"]
    places = [output.index(step) for step in [*steps, "> python -m stages.train enrico i2moe-mult", "report: "]]
    assert places == sorted(places)
    named = re.findall(r"^(?:report|the paper's tables): (.*)$", output, re.MULTILINE)
    assert named == [str(folder / "reports/index.html")]  # the paper's tables ask for all of its models
    assert Path(named[0]).is_file()
    scores = json.loads((folder / "results/metrics/enrico/i2moe-mult.json").read_text())
    performance = pd.read_csv(folder / "reports/tables/performance.csv")
    assert set(performance["dataset"]) == {"enrico (synthetic)"}
    assert set(performance["model"]) >= {"mult", "i2moe-mult"}
    assert {"accuracy", "auroc", "macro_f1"} <= set(scores)
    again = run(command, folder, environment)
    assert "trainings: 2, of which 2 were done before" in again
    assert "nothing is to be trained" in again
    assert "> python -m stages." not in again
