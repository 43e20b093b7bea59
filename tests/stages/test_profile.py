"""Profiles: what is shipped is right, laid over params.yaml it changes what it says and no comment, and mistakes."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.profile import PROFILES, merged, profile
from stages.report.paper import PUBLISHED
from stages.settings.params import load_params

ROOT = Path(__file__).parents[2]
PAPER = ["adni", "mimic", "imdb", "mosi", "enrico"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project's params.yaml and profiles, and nothing else."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / PROFILES, tmp_path / PROFILES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bring_files(project):
    for dataset in PAPER:
        (project / "data/raw" / dataset).mkdir(parents=True)


def lines_without_values(text):
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def test_params_yaml_is_as_profiles_write_it(project):
    """So that a profile changes no line but its own."""
    assert merged([]) == (project / "params.yaml").read_text()


def test_the_paper_profile_runs_everything_of_its_tables_at_full_size(project):
    bring_files(project)
    profile(["paper"])
    params = load_params()
    tables = pd.concat([pd.read_csv(PUBLISHED / f"table{number}.csv", comment="#") for number in range(1, 7)])
    assert set(params.run.models) == set(tables["model"])
    assert set(params.run.datasets) == set(tables["dataset"]) == set(PAPER)
    assert params.run.seeds == [0, 1, 2]
    assert not any(params.is_stand_in(dataset) for dataset in PAPER)
    for dataset in PAPER:
        for model in params.run.models:
            assert params.model(dataset, model) == params.models[dataset][model]  # no cap, no stand-in's training
    assert params.data.imdb.poster.weights == params.data.enrico.image.weights == "IMAGENET1K_V1"


@pytest.mark.usefixtures("project")
def test_the_smoke_profile_runs_the_same_on_stand_ins():
    profile(["paper", "paper-smoke"])
    params = load_params()
    assert all(params.is_stand_in(dataset) for dataset in PAPER)
    assert len(params.run.models) == 18
    assert params.run.seeds == [0]
    assert {params.model(dataset, "mult").epochs for dataset in PAPER} == {1}


def test_every_profile_names_only_keys_that_params_yaml_has(project):
    """So that what a profile changes has its comment there."""

    def keys(block, prefix=""):
        for key, value in block.items():
            yield from keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]

    load = YAML(typ="safe", pure=True).load
    own = set(keys(load(project / "params.yaml")))
    for path in (project / PROFILES).glob("*.yaml"):
        assert set(keys(load(path))) <= own, path


def test_values_change_and_comments_stay(project, capsys):
    before = (project / "params.yaml").read_text()
    profile(["paper", "paper-smoke"], ["run.datasets=[mosi]", "run.max_epochs=null"])
    after = (project / "params.yaml").read_text()
    assert lines_without_values(after) == lines_without_values(before)
    assert load_params(project / "params.yaml").run.datasets == ["mosi"]
    assert "  max_epochs:  " in after  # as DVC writes null
    said = capsys.readouterr().out
    assert "run.seeds: [0, 1, 2] → [0]" in said
    assert "run.max_epochs" not in said  # it is what it was
    assert "git restore params.yaml" in said


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["papr"], None, "unknown profile 'papr'; allowed: paper, paper-smoke; did you mean 'paper'?"),
        (["paper"], None, "data.adni.raw: data/raw/adni is missing (stages/datasets/adni/README.md); data.mimic.raw"),
        (["paper"], ["data.mosi.rwa=x"], "data.mosi: unknown key 'rwa'"),
        (["paper"], ["run.models=[mult"], "-S run.models=[mult: the value is not valid YAML"),
        (["paper"], ["run.models"], "-S run.models: allowed: KEY=VALUE"),
        (["paper-smoke"], ["run.datasets=[ad]", "data.tables.ad.raw=x"], "data.tables.ad.label is missing"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(project, names, settings, message):
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(InputError) as error:
        profile(names, settings)
    assert message in str(error.value)
    assert (project / "params.yaml").read_bytes() == before


def test_a_stand_in_under_another_name_is_refused(project):
    bring_files(project)
    (project / "data/raw/mosi/planted.json").touch()
    with pytest.raises(InputError, match=r"^data.mosi.raw: data/raw/mosi is synthetic \(stages/datasets/mosi"):
        profile(["paper"])


def test_a_profile_that_is_there_already_changes_nothing(project, capsys):
    profile(["paper-smoke"])
    before = (project / "params.yaml").read_bytes()
    capsys.readouterr()
    profile(["paper-smoke"])
    assert (project / "params.yaml").read_bytes() == before
    assert capsys.readouterr().out == "params.yaml has all of this already\n"


@pytest.mark.usefixtures("project")
def test_raw_files_may_be_anywhere(tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    profile(["paper"], ["run.datasets=[mosi]", f"data.mosi.raw={elsewhere}"])
    assert load_params().data.mosi.raw == str(elsewhere)


@pytest.mark.usefixtures("project")
def test_files_that_a_stage_makes_need_not_be_there():
    profile(["paper-smoke"], ["run.datasets=[wdbc, mosi]"])
    assert load_params().run.datasets == ["wdbc", "mosi"]
