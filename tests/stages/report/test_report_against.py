"""Two runs side by side: planted differences, by hand, and what is refused."""

import itertools
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from small_runs import Written, write_run

from i2moe.base.errors import InputError
from stages.report.against import against_tables, compare_runs, write_against
from stages.report.other_run import ComparedRun
from stages.report.run_differences import setting_differences


def compared(tmp_path, this=None, other=None):
    """Write two runs and compare them."""
    runs = [
        ComparedRun.read(name, write_run(tmp_path / name, about or Written()))
        for name, about in (("this", this), ("other", other))
    ]
    return compare_runs(*runs)


def accuracy_of(found):
    return found.scores.set_index("metric").loc["accuracy"]


def test_a_planted_difference_has_the_interval_of_paired_samples(tmp_path):
    """Of 100 samples 20 are right in one run alone: standard error sqrt(.2 * .8 / 98), times t of 98, 1.984: .080."""
    found = compared(tmp_path, other=Written(right=0.7))
    row = accuracy_of(found)
    assert (row["this"], row["other"]) == (pytest.approx(0.9), pytest.approx(0.7))
    assert row["difference"] == pytest.approx(0.2)
    assert row["low"] == pytest.approx(0.12, abs=0.008)
    assert row["high"] == pytest.approx(0.28, abs=0.008)
    assert row["verdict"] == "better"
    assert row["is_paired"]
    assert found.notes["tiny"].startswith("Paired: both runs have the same 100 test samples")


def test_the_worse_run_is_said_to_be_worse(tmp_path):
    assert accuracy_of(compared(tmp_path, this=Written(right=0.7)))["verdict"] == "worse"


def test_other_samples_are_compared_unpaired_and_the_page_says_so(tmp_path):
    """Standard error sqrt((.9 * .1 + .7 * .3) / 98), times 1.984: .110."""
    found = compared(tmp_path, other=Written(right=0.7, prefix="t"))
    row = accuracy_of(found)
    assert row["difference"] == pytest.approx(0.2)
    assert row["low"] == pytest.approx(0.09, abs=0.01)
    assert row["high"] == pytest.approx(0.31, abs=0.01)
    assert not row["is_paired"]
    assert found.notes["tiny"].startswith("Unpaired: the test samples")


def test_samples_are_paired_by_their_ids_whatever_their_order(tmp_path):
    other = write_run(tmp_path / "other", Written(right=0.7, synergy=0.5))
    path = other / "results/predictions/tiny/i2moe.parquet"
    table = pd.read_parquet(path)
    this = ComparedRun.read("this", write_run(tmp_path / "this", Written()))
    in_order = compare_runs(this, ComparedRun.read("other", other))
    table.iloc[::-1].to_parquet(path, index=False)
    assert compare_runs(this, ComparedRun.read("other", other)).scores.equals(in_order.scores)


def test_one_sample_with_another_label_unpairs_them(tmp_path):
    other = write_run(tmp_path / "other", Written())
    cohort = pd.read_csv(other / "data/cohorts/tiny.csv")
    cohort.loc[0, "label"] = "yes"
    cohort.to_csv(other / "data/cohorts/tiny.csv", index=False)
    this = ComparedRun.read("this", write_run(tmp_path / "this", Written()))
    assert compare_runs(this, ComparedRun.read("other", other)).notes["tiny"].startswith("Unpaired")


def test_the_same_predictions_are_no_difference_and_are_called_the_same(tmp_path):
    row = accuracy_of(compared(tmp_path))
    assert row[["difference", "low", "high"]].tolist() == [0, 0, 0]
    assert row["verdict"] == "the same predictions"


def test_weights_that_differ_alike_in_every_sample_differ_without_doubt(tmp_path):
    weights = compared(tmp_path, other=Written(right=0.7, synergy=0.5)).weights.set_index("expert")
    assert weights.loc["synergy", ["this", "other", "difference"]].tolist() == pytest.approx([0.75, 0.5, 0.25])
    assert weights.loc["synergy", ["low", "high"]].tolist() == pytest.approx([0.25, 0.25])
    assert weights["verdict"].tolist() == ["larger", "smaller"]


def test_readings_say_what_both_runs_name(tmp_path):
    found = compared(tmp_path, other=Written(synergy=0.5, role="idle", winner=""))
    readings = found.readings.set_index("reading")
    assert readings.loc["role of synergy", ["this", "other"]].tolist() == ["synergy in 2 seeds", "idle in 2 seeds"]
    assert readings.loc["leads by weight", ["this", "other"]].tolist() == ["synergy", "none shown"]
    assert readings.loc["planted, by weight", ["this", "other"]].tolist() == [
        "finds the planted term and names no other",
        "misses synergy",
    ]


def test_a_reading_that_one_run_lacks_is_not_read_there(tmp_path):
    other = write_run(tmp_path / "other", Written())
    (other / "results/explanations/tiny/i2moe/leaders.parquet").unlink()
    this = ComparedRun.read("this", write_run(tmp_path / "this", Written()))
    readings = compare_runs(this, ComparedRun.read("other", other)).readings.set_index("reading")
    assert readings.loc["leads by weight", ["this", "other"]].tolist() == ["synergy", "not read"]


def test_settings_that_differ_are_listed_by_key(tmp_path):
    runs = [
        ComparedRun.read(name, write_run(tmp_path / name, about))
        for name, about in (("this", Written(dropout=0.2, extra={"a": {"b": [1]}})), ("other", Written()))
    ]
    assert setting_differences(*runs).to_numpy().tolist() == [
        ["models.defaults.dropout", "0.2", "0.5"],
        ["a.b", "[1]", "not set"],
    ]


def test_other_classes_are_not_compared(tmp_path):
    found = compared(tmp_path, other=Written(classes=("ill", "well")))
    assert found.scores.empty
    assert found.notes["tiny"].startswith("Not compared: the two runs predict different things")
    assert [table.title for table in against_tables(found)["tiny"]] == []


class Outline(HTMLParser):
    """Collects the tags of a page with their attributes, and checks that each that opens closes."""

    VOID = ("meta", "br")

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_self_contained_and_in_order(tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "other", Written(right=0.7, synergy=0.5, role="idle", dropout=0.1))
    monkeypatch.chdir(write_run(tmp_path / "this", Written()))
    (tmp_path / "this/reports").mkdir()
    write_against("../other", tmp_path / "this/reports/two.html")
    page = (tmp_path / "this/reports/two.html").read_text()
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    headings = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    regions = [attrs for tag, attrs in outline.tags if attrs.get("class") == "scroll"]
    assert len(regions) == 4
    assert all(attrs["role"] == "region" and attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in regions)
    assert len({attrs["aria-label"] for attrs in regions}) == 4
    assert {"main", "nav"} <= {tag for tag, _ in outline.tags}
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"] for tag, attrs in outline.tags if tag == "a"} <= {f"#{name}" for name in ids}
    assert "http" not in page
    assert "`" not in page  # a page is not Markdown
    assert "+0.200 [+0.1" in page
    assert "s000" not in page  # no single sample
    for name in ("scores", "weights", "readings", "settings"):
        assert len(pd.read_csv(tmp_path / f"this/reports/two/{name}.csv"))
    assert capsys.readouterr().out.endswith(
        "of 3 test scores, 3 are better and 0 worse in this run than in ../other; 1 setting differs\n"
    )


def test_a_page_whose_tables_would_take_its_name_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"--out .*page: the page needs a name that ends in .html"):
        write_against("anything", tmp_path / "page")


def test_a_folder_whose_run_is_not_complete_is_refused(tmp_path):
    other = write_run(tmp_path / "other", Written())
    (other / "results/predictions/tiny/i2moe.parquet").unlink()
    this = ComparedRun.read("this", write_run(tmp_path / "this", Written()))
    with pytest.raises(InputError, match=r"i2moe.parquet is missing: run `dvc repro` there"):
        compare_runs(this, ComparedRun.read("other", other))


def test_runs_without_a_model_in_common_are_refused(tmp_path):
    said = "other has no model on a dataset in common with this: it ran late, early on tiny; set run.models"
    with pytest.raises(InputError, match=said):
        compared(tmp_path, other=Written(models=("late", "early")))


def test_predictions_of_samples_that_the_cohort_lacks_are_refused(tmp_path):
    other = write_run(tmp_path / "other", Written())
    path = other / "data/cohorts/tiny.csv"
    pd.read_csv(path).head(97).to_csv(path, index=False)
    this = ComparedRun.read("this", write_run(tmp_path / "this", Written()))
    with pytest.raises(InputError, match=r"3 of its test samples are not in .*tiny.csv"):
        compare_runs(this, ComparedRun.read("other", other))


def test_a_label_that_is_none_is_refused_by_its_row_of_the_cohort(tmp_path):
    other = write_run(tmp_path / "other", Written())
    predictions, cohort = other / "results/predictions/tiny/i2moe.parquet", other / "data/cohorts/tiny.csv"
    pd.read_parquet(predictions).iloc[::-1].to_parquet(predictions)
    table = pd.read_csv(cohort)
    table.loc[4, "label"] = "none"
    table.to_csv(cohort, index=False)
    this = ComparedRun.read("this", write_run(tmp_path / "this", Written()))
    with pytest.raises(InputError, match=r"tiny.csv row 6: its label is not in"):
        compare_runs(this, ComparedRun.read("other", other))


def test_a_run_without_names_of_models_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text("run: {datasets: [tiny]}")
    with pytest.raises(InputError, match=r"params.yaml: run.models is missing"):
        ComparedRun.read("this", tmp_path)
