"""The real `dvc exp run` on a table with planted interactions, in a clone: from nothing to a report, down to tokens."""

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[planted-tokens]",
    "run.models": "[i2moe-mult, fl-i2moe]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.planted.samples": "150",
    "models.planted-tokens.defaults.hidden_dim": "8",
    "explain.tokens.samples": "4",
    "explain.tokens.top": "2",
    "explain.tokens.draws": "2",
}


def test_a_planted_table_runs_from_nothing_to_a_report_and_is_called_synthetic(tmp_path, environment):
    folder = clone(tmp_path / "project", environment)
    run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    page = (folder / "reports/index.html").read_text()
    assert ">planted-tokens (synthetic)</h2>" in page
    tables = {name: pd.read_csv(folder / f"reports/tables/{name}.csv") for name in ("performance", "token_pair_means")}
    assert set(tables["performance"]["dataset"]) == {"planted-tokens (synthetic)"}
    assert set(tables["token_pair_means"]["model"]) == {"fl-i2moe"}
    assert tables["token_pair_means"]["one_token"].str.startswith("first_").all()
    assert "planted pair of tokens" in page
    assert "of 1 seeds</td>" in page
    assert (folder / "reports/figures/planted-tokens-fl-i2moe-token-example.svg").exists()
    assert not (folder / "results/explanations/planted-tokens/i2moe-mult/token_pairs.parquet").exists()
    assert "synthesize@planted-tokens" in planned(folder, environment, **{"synthetic.planted.noise": 1.0})
