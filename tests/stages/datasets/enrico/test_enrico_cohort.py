"""The cohort by hand-made files, and by ENRICO's 1,460 real labels where they are at hand."""

import json
import random
import shutil

import pytest

from i2moe.contract.cohort import read_cohort
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.source import read_flawed, read_topics
from stages.shared.base import paths
from tests.stages.datasets.enrico.conftest import IDS, ROOT, TOPICS, topics_file

PAPERS_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
REAL = ROOT.parent / "shared/data/enrico"
real = pytest.mark.skipif(not (REAL / "design_topics.csv").exists(), reason="ENRICO's labels are not at hand")


def written():
    about = json.loads(paths.cohort("enrico").with_suffix(".json").read_text())
    return read_cohort(paths.cohort("enrico")), about


def test_a_sample_is_a_screen_by_its_id_and_a_class_a_topic_by_name(project):
    project()
    cohort()
    table, about = written()
    expected = dict(zip(IDS, TOPICS, strict=True))
    del expected["50105"], expected["50109"]
    assert table["sample_id"].tolist() == sorted(expected)
    assert table["group_id"].tolist() == table["sample_id"].tolist()
    assert dict(zip(table["sample_id"], table["label"], strict=True)) == expected
    assert about["classes"] == ["calculator", "list", "news"]
    assert about["modalities"] == ["screenshot", "wireframe"]
    assert (about["task"], about["split"], about["licence"]) == ("multiclass", "by shares", "open")
    assert (about["samples_in_raw_data"], about["samples"]) == (24, 22)
    assert about["removed"] == {"listed under data.enrico.exclude": 2}
    assert about["flow"] == [{"filter": "listed under data.enrico.exclude", "screens_removed": 2, "screens_left": 22}]


@pytest.mark.parametrize(
    ("issues", "name", "lost"),
    [
        ("drop_high", "with an issue of high severity in issues.csv", {"30"}),
        ("drop", "with an issue in issues.csv", {"30", "31"}),
    ],
)
def test_flawed_screens_are_dropped_where_asked_and_counted(project, issues, name, lost):
    project(issues=issues)
    cohort()
    table, about = written()
    assert set(IDS) - set(table["sample_id"]) == lost | {"50105", "50109"}
    assert about["flow"][-1] == {"filter": name, "screens_removed": len(lost), "screens_left": 22 - len(lost)}


def test_issues_are_only_needed_where_they_are_used(project):
    project({"issues.csv": None})
    cohort()
    assert len(written()[0]) == 22


def test_an_excluded_screen_that_is_not_there_is_named(project, capsys):
    project(exclude=[50105, 50109, 31, 424242])
    cohort()
    assert len(written()[0]) == 21
    assert "exclude lists screens that design_topics.csv does not have: 424242" in capsys.readouterr().out


def test_one_modality_needs_only_its_own_images(project):
    folder = project(modalities=["wireframe"])
    shutil.rmtree(folder / "raw/screenshots")
    cohort()
    assert written()[1]["modalities"] == ["wireframe"]


def test_images_of_excluded_screens_are_not_needed(project):
    folder = project()
    (folder / "raw/wireframes/50105.png").unlink()
    cohort()
    assert len(written()[0]) == 22


def test_a_table_may_have_a_byte_order_mark_more_columns_and_an_empty_last_line(project):
    text = "\ufeff" + topics_file().replace("\n", ",x\r\n").replace("topic,x", "topic,more") + "\r\n"
    project({"design_topics.csv": text})
    cohort()
    assert len(written()[0]) == 22


def published_splits(table):
    """Return the official splits by another way than the stage's: ids shuffled, then cut by position."""
    ids = [own for own in table["sample_id"] if own not in ("50105", "50109")]
    order = list(range(len(ids)))
    random.Random(42).shuffle(order)  # noqa: S311
    first, second = int(len(ids) * 0.65), int(len(ids) * (0.65 + 0.15))
    parts = {"train": order[:first], "validation": order[first:second], "test": order[second:]}
    return {ids[position]: split for split, part in parts.items() for position in part}


def test_the_official_split_follows_the_files_order_and_other_filters_only_remove_screens(project):
    project(split="official", issues="drop", exclude=[9])
    cohort()
    table, about = written()
    expected = published_splits(read_topics("raw"))
    found = dict(zip(table["sample_id"], table["split"], strict=True))
    assert found == {own: split for own, split in expected.items() if own not in ("9", "30", "31")}
    assert about["split"] == "official"
    assert about["flow"][1] == {"filter": "in no official split", "screens_removed": 2, "screens_left": 21}


# Real labels


def real_table():
    return read_topics(str(REAL))


@pytest.fixture
def real_raw(tmp_path):
    """ENRICO's real tables, with empty files in place of the images: no cohort looks into them."""
    raw = tmp_path / "raw"
    for name, ending in (("screenshots", ".jpg"), ("wireframes", ".png")):
        (raw / name).mkdir(parents=True)
        for own in real_table()["sample_id"]:
            (raw / name / f"{own}{ending}").touch()
    return raw


def use_real_tables(raw):
    for name in ("design_topics.csv", "issues.csv"):
        shutil.copy(REAL / name, raw / name)


@real
def test_the_real_labels_give_1458_screens_of_20_topics_70_15_15(real_raw, project):
    project(shares=PAPERS_SHARES | {"seed": 0})
    use_real_tables(real_raw)
    cohort()
    table, about = written()
    assert len(about["classes"]) == 20
    assert (about["samples_in_raw_data"], about["samples"]) == (1460, 1458)
    assert table["split"].value_counts().to_dict() == {"train": 1020, "validation": 219, "test": 219}
    sizes = table["label"].value_counts()
    assert (sizes["calculator"], sizes["list"], sizes["news"]) == (6, 265, 57)


@real
@pytest.mark.parametrize("seed", range(8))
def test_every_real_topic_is_in_every_split_whatever_the_seed(real_raw, project, seed):
    project(shares=PAPERS_SHARES | {"seed": seed})
    use_real_tables(real_raw)
    cohort()
    _, about = written()
    for counts in about["splits"].values():
        assert min(counts["classes"].values()) >= 1


@real
@pytest.mark.parametrize(("issues", "left"), [("drop_high", 1444), ("drop", 1379)])
def test_the_real_issues_leave_so_many_screens(real_raw, project, issues, left):
    # 81 screens have issues, 16 of them of high severity; the two corrupt ones are among both.
    project(issues=issues)
    use_real_tables(real_raw)
    cohort()
    assert len(written()[0]) == left
    assert len(read_flawed(str(REAL), only_high=issues == "drop_high")) == {"drop_high": 16, "drop": 81}[issues]


@real
def test_the_real_official_split_is_the_published_one(real_raw, project):
    project(split="official")
    use_real_tables(real_raw)
    cohort()
    table, about = written()
    sizes = {split: counts["samples"] for split, counts in about["splits"].items()}
    assert sizes == {"train": 947, "validation": 219, "test": 292}
    assert dict(zip(table["sample_id"], table["split"], strict=True)) == published_splits(real_table())
