"""The paper's tables beside ours: a planted run of a real raw path, the figures as printed, and what is missing."""

import pandas as pd
import pytest
import torch
from small_models import count, mixture

from i2moe.base.errors import InputError
from stages.report.own_figures import num_parameters
from stages.report.paper import (
    PUBLISHED,
    TABLES,
    is_rehearsal,
    paper_rows,
    paper_tables,
    published,
    write_paper,
)
from stages.shared.explanations import write
from stages.shared.runs import Run
from stages.shared.seconds import Seconds
from stages.shared.seconds import write as write_seconds

SCORES = {"accuracy": (0.66, 0.60, 0.72), "auroc": (0.80, 0.75, 0.85)}  # mean and interval


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of MulT, I2MoE-MulT and an ablation on ADNI's real files and on a stand-in of MM-IMDb."""
    monkeypatch.chdir(tmp_path)
    models = ["mult", "i2moe-mult", "less-forward"]
    for model in models:
        folder = tmp_path / "results/metrics/adni"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [("test", name, *values) for name, values in SCORES.items()]
        rows.append(("validation", "accuracy", 0.9, float("nan"), float("nan")))
        table = pd.DataFrame(rows, columns=["split", "metric", "mean", "low", "high"])
        table.assign(std=0.01, usable=1.0).to_csv(folder / f"{model}.csv", index=False)
        weights = tmp_path / "results/models/adni" / model
        weights.mkdir(parents=True)
        torch.save(mixture("mult").state_dict(), weights / "0.ckpt")
    cases = {"disagree_correct": 0.5, "disagree_wrong": 0.3, "agree_correct": 0.15, "agree_wrong": 0.05}
    write(tmp_path / "results/explanations/adni/i2moe-mult", {"agreement": pd.DataFrame([{"by": "sample"} | cases])})
    write_gains(tmp_path, [("i2moe-mult", "mult"), ("less-forward", "i2moe-mult")])
    return run_of({"adni": "adni", "imdb": "imdb (synthetic)"}, models, stand_ins=["imdb"])


def write_gains(root, pairs):
    """Write gains of nothing on ADNI, from -0.03 to 0.02."""
    rows = [(*pair, metric, 0.0, -0.03, 0.02) for pair in pairs for metric in SCORES]
    path = root / "results/differences/adni.gains.csv"
    path.parent.mkdir(parents=True)
    pd.DataFrame(rows, columns=["model", "against", "metric", "difference", "low", "high"]).to_csv(path, index=False)


def run_of(datasets, models, stand_ins=()):
    return Run(
        datasets=datasets,
        models=models,
        seeds=[0],
        max_epochs=None,
        max_batch_size=None,
        stand_ins=list(stand_ins),
        split_seed=0,
        vanilla={},
        bases={},
    )


def cells(table):
    """Return the lines of each cell by the names of its row and column."""
    return {
        (row[0][0], column): lines
        for row in table.rows
        for column, lines in zip(table.header[1:], row[1:], strict=True)
    }


def test_our_score_is_beside_the_papers_with_the_difference_and_our_interval(run):
    """66.0 less 65.08 is 0.9; the interval of ours, 60 to 72, less 65.08."""
    first, *_ = paper_tables(run)
    found = cells(first)
    assert found["i2moe-mult", "adni accuracy ↑"] == [
        "ours 66.0 [60.0, 72.0]",
        "paper 65.08",
        "difference +0.9 [-5.1, +6.9]",
    ]
    assert found["mult", "adni auroc ↑"] == ["ours 80.0 [75.0, 85.0]", "paper 77.21", "difference +2.8 [-2.2, +7.8]"]


def test_what_we_do_not_have_says_why(run):
    tables = paper_tables(run)
    first = cells(tables[0])
    assert first["early", "adni accuracy ↑"] == ["ours: not run", "paper 52.01"]
    assert first["mult", "imdb micro_f1 ↑"] == ["ours: stand-in", "paper 59.68"]
    assert first["mult", "enrico accuracy ↑"] == ["ours: not run", "paper 47.37"]
    assert cells(tables[5])["adni", "mult, training, seconds per epoch"] == ["ours: not trained here", "paper 8.98"]


def test_an_ablation_without_a_figure_in_the_paper_has_a_dash(run):
    fourth = cells(paper_tables(run)[3])
    assert fourth["less-forward", "adni accuracy ↑"][:2] == ["ours 66.0 [60.0, 72.0]", "paper 59.76"]
    assert {column.split()[0] for _, column in fourth} == {"adni", "mosi", "enrico"}


def test_a_variant_shows_what_it_gains_over_what_it_starts_from(run):
    """Ours: 66.0 of both models, so nothing. The paper's: 59.76 less 65.08."""
    tables = paper_tables(run)
    less = "less i2moe-mult: ours +0.0 [-3.0, +2.0], paper -5.32"
    assert cells(tables[3])["less-forward", "adni accuracy ↑"][-1] == less
    alone = published()[1].set_index(["model", "dataset", "metric"])["value"]["switchgate", "adni", "accuracy"]
    gain = f"less switchgate: paper {67.51 - alone:+.2f}"
    assert cells(tables[1])["i2moe-switchgate", "adni accuracy ↑"] == ["ours: not run", "paper 67.51", gain]
    assert len(cells(tables[4])["i2moe-mult", "adni accuracy ↑"]) == 3  # not less itself
    table = paper_rows(run)
    assert set(table.loc[table["against"] != "", "table"]) == {2, 4, 5}
    assert table.loc[table["against"] != "", "paper_delta"].notna().all()
    ours = table[table["delta"].notna()]
    assert set(ours["model"]) == {"less-forward"}
    assert ours[["delta_low", "delta_high"]].to_numpy().tolist() == [[-3.0, 2.0]] * len(ours)
    assert table.loc[table["delta"].isna(), "delta_low"].isna().all()


def test_a_replacement_shows_the_papers_standard_deviation(run):
    assert cells(paper_tables(run)[4])["i2moe-mult", "adni accuracy ↑"][1] == "paper 65.08 ± 1.52"


def test_agreement_is_a_share_of_the_samples(run):
    third = cells(paper_tables(run)[2])
    assert third["experts disagree, the model is right", "adni"] == ["ours 50.0", "paper 48.74", "difference +1.3"]


def test_parameters_are_those_of_the_saved_weights(run):
    """As many as the model that was saved has."""
    expected = count(mixture("mult"))
    assert num_parameters("adni", "i2moe-mult") == expected
    own, printed, less = cells(paper_tables(run)[5])["adni", "i2moe-mult, parameters"]
    assert (own, printed) == (f"ours {expected:,}", "paper 6,696,728")
    assert less == f"difference {expected - 6_696_728:+,}"


def test_times_are_medians_over_epochs_and_seeds_and_name_the_device(run, tmp_path):
    """Epochs of 1, 2, 9 and 3 s: 2.5 s. Inference of 0.4 and 0.6 s: 0.5 s."""
    folder = tmp_path / "results/.training/adni/mult"
    write_seconds(folder / "0/a", Seconds(epochs=[1.0, 2.0, 9.0], trained_on="one", inference=0.4, predicted_on="one"))
    write_seconds(folder / "1/b", Seconds(epochs=[3.0], trained_on="two", inference=0.6, predicted_on="two"))
    sixth = paper_tables(run)[5]
    found = cells(sixth)
    assert found["adni", "mult, training, seconds per epoch"] == ["ours 2.50", "paper 8.98", "difference -6.48"]
    assert found["adni", "mult, inference, seconds"] == ["ours 0.50", "paper 1.34", "difference -0.84"]
    assert found["adni", "i2moe-mult, inference, seconds"] == ["ours: not trained here", "paper 2.29"]
    assert "Ours ran on: one, two. " in sixth.note


@pytest.fixture
def rehearsal(tmp_path, monkeypatch):
    """A run of all of the paper's models on ADNI's stand-in alone."""
    monkeypatch.chdir(tmp_path)
    models = list(dict.fromkeys(model for table in published().values() for model in table["model"]))
    for model in models:
        scores = [("test", name, *values) for name, values in SCORES.items()]
        metrics = tmp_path / f"results/metrics/adni/{model}.csv"
        metrics.parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(scores, columns=["split", "metric", "mean", "low", "high"])
        table.assign(std=0.01, usable=1.0).to_csv(metrics, index=False)
        weights = tmp_path / f"results/models/adni/{model}/0.ckpt"
        weights.parent.mkdir(parents=True)
        torch.save({"weight": torch.zeros(3)}, weights)
        seconds = Seconds(epochs=[1.5], trained_on="one", inference=0.5, predicted_on="one")
        write_seconds(tmp_path / f"results/.training/adni/{model}/0/key", seconds)
    cases = {"disagree_correct": 0.5, "disagree_wrong": 0.3, "agree_correct": 0.15, "agree_wrong": 0.05}
    write(tmp_path / "results/explanations/adni/i2moe-mult", {"agreement": pd.DataFrame([{"by": "sample"} | cases])})
    write_gains(tmp_path, [(model, "i2moe-mult") for model in models])
    return run_of({"adni": "adni (synthetic)"}, models, stand_ins=["adni"])


def test_a_rehearsal_fills_all_six_tables_and_compares_nothing(rehearsal):
    rows = paper_rows(rehearsal)
    filled = rows[rows["dataset"] == "adni"]
    assert set(filled["table"]) == set(TABLES)
    assert set(filled["why"]) == {"synthetic"}
    assert filled["ours"].notna().all()
    assert rows["difference"].isna().all()
    assert set(rows.loc[rows["dataset"] != "adni", "why"]) == {"not run"}
    tables = paper_tables(rehearsal)
    assert all(table.note.startswith("A rehearsal on synthetic data, ") for table in tables)
    assert cells(tables[0])["early", "adni accuracy ↑"] == ["synthetic 66.0 [60.0, 72.0]", "paper 52.01"]
    assert cells(tables[5])["adni", "mult, training, seconds per epoch"] == ["synthetic 1.50", "paper 8.98"]
    less = "less i2moe-mult: synthetic +0.0 [-3.0, +2.0], paper -5.32"
    assert cells(tables[3])["less-forward", "adni accuracy ↑"][-1] == less


def test_only_all_models_on_stand_ins_alone_are_a_rehearsal(rehearsal):
    assert is_rehearsal(rehearsal)
    fewer = rehearsal.model_copy(update={"models": rehearsal.models[1:]})
    real = rehearsal.model_copy(update={"datasets": {"adni": "adni"}, "stand_ins": []})
    other = rehearsal.model_copy(update={"datasets": {"wdbc": "wdbc"}, "stand_ins": []})
    assert not any(is_rehearsal(run) for run in (fewer, real, other))
    assert paper_rows(fewer).empty


def test_what_batch_normalisation_keeps_is_no_parameter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/models/adni/mult").mkdir(parents=True)
    layers = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    torch.save(layers.state_dict(), tmp_path / "results/models/adni/mult/0.ckpt")
    assert num_parameters("adni", "mult") == 3 * 2 + 2 + 2 + 2


def test_a_model_without_weights_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"results/models/adni/mult holds no weights"):
        num_parameters("adni", "mult")


@pytest.mark.parametrize(
    "run",
    [
        run_of({"wdbc": "wdbc"}, ["mult"]),
        run_of({"adni": "adni (synthetic)"}, ["mult"], stand_ins=["adni"]),
        run_of({"adni": "adni (synthetic)"}, ["mult"]),  # with the paper's sizes: synthetic.training is off
    ],
    ids=["other", "stand-in", "synthetic"],
)
def test_without_real_files_there_are_no_tables(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paper_tables(run) == []
    write_paper(run)
    assert not (tmp_path / "reports").exists()


def test_all_figures_are_written_as_one_table(run, tmp_path):
    write_paper(run)
    table = pd.read_csv(tmp_path / "reports/tables/paper.csv")
    assert len(table) == len(paper_rows(run)) == 64 + 24 + 20 + 20 + 24 + 30
    assert table["why"].fillna("").ne("").sum() == table["ours"].isna().sum()
    row = table[(table["table"] == 1) & (table["model"] == "i2moe-mult") & (table["metric"] == "accuracy")].iloc[0]
    assert row[["paper", "ours", "difference"]].tolist() == pytest.approx([65.08, 66.0, 0.92])


def test_every_file_of_the_papers_figures_names_its_source():
    for number in TABLES:
        first = (PUBLISHED / f"table{number}.csv").read_text().splitlines()[0]
        assert f"arXiv 2505.19190, Table {number}:" in first


def test_the_papers_figures_add_up():
    """Cases of agreement are all samples of a dataset; the random vector's figures are those of Table 1."""
    agreement = pd.read_csv(PUBLISHED / "table3.csv", comment="#")
    assert agreement.groupby("dataset")["value"].sum().to_numpy() == pytest.approx(100, abs=0.02)
    first, fifth = (pd.read_csv(PUBLISHED / f"table{number}.csv", comment="#") for number in (1, 5))
    keys = ["model", "dataset", "metric"]
    both = first.merge(fifth, on=keys)
    assert len(both) == 8
    assert (both["value_x"] == both["value_y"]).all()
