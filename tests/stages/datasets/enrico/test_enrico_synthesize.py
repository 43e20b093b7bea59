"""The synthetic ENRICO: reproducible, with the real one's quirks, and with terms that images show as planted."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.image import image
from stages.datasets.enrico.source import TOPICS as REAL_TOPICS
from stages.datasets.enrico.synthetic.drawing import LEGEND
from stages.datasets.enrico.synthetic.screens import SHOWN_BY, TOPICS
from stages.datasets.enrico.synthetic.synthesize import synthesize, write_files
from stages.shared.base import paths
from tests.stages.datasets.enrico.conftest import ROOT

CORRUPT = ["50105", "50109"]
REAL_LEGEND = ROOT.parent / "shared/data/enrico/component_legend.json"
MODALITIES = ("screenshot", "wireframe")


def planted_of(raw):
    return pd.read_csv(raw / "planted.csv", dtype={"screen_id": str}).set_index("screen_id")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, drawn):
    write_files(tmp_path / "same", 80, seed=1)
    write_files(tmp_path / "other", 80, seed=2)
    first = contents(drawn)
    assert contents(tmp_path / "same") == first
    other = contents(tmp_path / "other")
    alike = {name.stem for name, content in first.items() if other.get(name) == content}
    assert alike <= set(CORRUPT)  # their ids are the same, and of their wireframes only the first bytes are there
    assert len(first) == 4 + 2 * 80


def test_the_files_have_the_layout_of_real_ones(drawn):
    topics, issues = (pd.read_csv(drawn / name, dtype=str) for name in ("design_topics.csv", "issues.csv"))
    assert list(topics) == ["screen_id", "topic"]
    assert list(issues) == ["screen_id", "source", "description", "severity"]
    assert topics["screen_id"].is_unique
    assert not topics["screen_id"].astype(int).is_monotonic_increasing
    assert set(topics["topic"]) <= set(REAL_TOPICS)
    assert set(issues["screen_id"]) <= set(topics["screen_id"])
    assert set(issues["severity"]) == {"low", "medium", "high"}
    for name, ending, mode in (("screenshots", "jpg", "RGB"), ("wireframes", "png", "RGBA")):
        assert {path.name for path in (drawn / name).iterdir()} == {f"{own}.{ending}" for own in topics["screen_id"]}
        for own in topics["screen_id"][~topics["screen_id"].isin(CORRUPT)]:
            with Image.open(drawn / name / f"{own}.{ending}") as picture:
                picture.load()
                assert (picture.size, picture.mode) == ((540, 960), mode)
                assert mode == "RGB" or picture.getextrema()[3] == (0, 255)


@pytest.mark.parametrize("own", CORRUPT)
def test_two_wireframes_are_corrupt_as_in_the_real_one(drawn, own):
    with pytest.raises(OSError, match=r"truncated|cannot identify"), Image.open(drawn / f"wireframes/{own}.png") as it:
        it.load()
    Image.open(drawn / f"screenshots/{own}.jpg").load()


@pytest.mark.usefixtures("tiny")
def test_the_corrupt_ones_are_refused_by_name_where_they_are_not_excluded(project, synthetic_raw):
    project(raw=str(synthetic_raw), exclude=[])
    cohort()
    with pytest.raises(InputError, match=r"wireframes/5010[59]\.png cannot be decoded .*data.enrico.exclude"):
        image("wireframe")


def test_topics_follow_from_the_terms_and_have_unequal_shares(drawn):
    table = planted_of(drawn)
    truth = json.loads((drawn / "planted.json").read_text())
    assert truth["synthetic"] is True
    assert set(truth["shown_by"]) == set(SHOWN_BY)
    assert (table["exclusive_or"] == (table["screenshot_bit"] ^ table["wireframe_bit"])).all()
    keys = zip(table["shared"], table["screenshot"], table["exclusive_or"], strict=True)
    assert table["topic"].tolist() == [TOPICS[key][0] for key in keys]
    rules = {(row["shared"], row["screenshot"], row["exclusive_or"]): row["topic"] for row in truth["topics"]}
    assert rules == {key: name for key, (name, _) in TOPICS.items()}
    sizes = table["topic"].value_counts()
    assert len(sizes) == 8
    assert sizes.max() >= 2 * sizes.min()
    topics = pd.read_csv(drawn / "design_topics.csv", dtype=str).set_index("screen_id")["topic"]
    assert topics.equals(table["topic"].astype(topics.dtype))


@pytest.mark.parametrize("screens", [60, 75, 240])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_topic_is_in_every_split_of_the_papers_shares(project, tmp_path, screens, seed):
    folder = project(raw="synthetic", shares={"train": 0.7, "validation": 0.15, "test": 0.15, "seed": seed})
    write_tables_alone(folder / "synthetic", screens, seed)
    cohort()
    table = read_cohort(paths.cohort("enrico"))
    assert table.groupby("split")["label"].nunique().to_dict() == {"train": 8, "validation": 8, "test": 8}
    assert tmp_path == folder


def write_tables_alone(folder, screens, seed):
    """Write a synthetic ENRICO with empty images: no cohort looks into them."""
    from stages.datasets.enrico.synthetic import synthesize as stage
    from stages.datasets.enrico.synthetic.screens import draw_screens

    drawn = draw_screens(screens, np.random.default_rng([seed, 0]))
    for name, ending in (("screenshots", "jpg"), ("wireframes", "png")):
        (folder / name).mkdir(parents=True)
        for own in drawn.ids:
            (folder / name / f"{own}.{ending}").touch()
    stage._write_tables(folder, drawn, {}, seed)


@pytest.mark.skipif(not REAL_LEGEND.exists(), reason="ENRICO's legend is not at hand")
def test_wireframes_have_the_real_legends_colours():
    real = json.loads(REAL_LEGEND.read_text())
    assert {name: real[name]["hex"].upper() for name in LEGEND} == {name: own.upper() for name, own in LEGEND.items()}


def read_out(inputs, labels):
    """Return the AUROC of a linear model, cross-validated."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = RidgeClassifier(alpha=1e3)
    return roc_auc_score(labels, cross_val_predict(model, inputs, labels, cv=folds, method="decision_function"))


def test_random_vgg11_features_show_each_term_where_it_is_planted_and_no_linear_model_the_exclusive_or(project):
    """At the project's own size and number of screens."""
    project(raw="raw240", image={"height": 256, "width": 128, "batch_size": 8})
    write_files(paths.PARAMS.parent / "raw240", 240, seed=0)
    cohort()
    inputs = {}
    for modality in MODALITIES:
        image(modality)
        array = np.load(paths.features("enrico") / f"{modality}.npy").astype(np.float32)
        inputs[modality] = array.reshape(len(array), -1)
    terms = planted_of(paths.PARAMS.parent / "raw240").loc[read_cohort(paths.cohort("enrico"))["sample_id"]]
    shown = {(term, name): read_out(inputs[name], terms[term]) for term in SHOWN_BY for name in MODALITIES}
    for term in SHOWN_BY:
        for name in MODALITIES:
            if term == "shared" or term.startswith(name):
                assert shown[term, name] > 0.95, (term, name)
            else:
                assert 0.35 < shown[term, name] < 0.65, (term, name)
    both = np.concatenate(list(inputs.values()), axis=1)
    assert 0.35 < read_out(both, terms["exclusive_or"]) < 0.65


def test_the_stage_replaces_what_an_earlier_run_left(project):
    folder = project()
    target = folder / "data/synthetic/enrico"
    (target / "wireframes").mkdir(parents=True)
    (target / "wireframes/old.png").touch()
    (target.with_suffix(".partial") / "wireframes").mkdir(parents=True)
    synthesize()
    assert not (target / "wireframes/old.png").exists()
    assert len(list((target / "wireframes").iterdir())) == 60
    assert not target.with_suffix(".partial").exists()
