"""Which datasets may be shared, by cohort, parameters and raw files."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from i2moe.contract.descriptions import CohortDescription, SplitCounts
from i2moe.contract.planted import Planted
from stages.settings.params import load_params
from stages.share import restriction
from tests.docs.documents import write_params

PLANTED = Planted(synthetic=True, rule="a rule", terms=[])
ROOT = Path(__file__).parents[2]
RESTRICTED = "its licence is restricted"


def cohort(dataset, licence, planted=None):
    """Write the description of a cohort."""
    counts = SplitCounts(samples=1, classes={"survived": 1, "died": 0})
    description = CohortDescription(
        dataset=dataset,
        task="binary",
        classes=["survived", "died"],
        modalities=["lab", "note"],
        licence=licence,
        samples_in_raw_data=3,
        removed={},
        flow=[],
        samples=3,
        split="by shares",
        groups=3,
        splits=dict.fromkeys(("train", "validation", "test"), counts),
        planted=planted,
    )
    path = Path(f"data/cohorts/{dataset}.json")
    path.parent.mkdir(parents=True)
    path.write_text(description.to_json())


def params(raw, planted=None):
    """Write the parameters, and the raw files as far as they say what is planted; return the parameters."""
    write_params(Path("params.yaml"), settings=(f"data.{Path(raw).name}.raw={raw}",))
    Path(raw).mkdir(parents=True)
    if planted:
        (Path(raw) / "planted.json").write_text(planted.to_json())
    return load_params(Path("params.yaml"))


@pytest.mark.parametrize(
    ("licence", "in_cohort", "raw", "in_raw", "reason"),
    [
        ("open", None, "data/raw/enrico", None, None),
        ("restricted", None, "data/raw/enrico", None, RESTRICTED),
        ("open", None, "data/raw/mimic", None, RESTRICTED),  # the cohort was edited, and given to DVC
        ("restricted", None, "data/raw/mimic", None, RESTRICTED),
        ("restricted", PLANTED, "data/synthetic/mimic", PLANTED, None),
        ("restricted", PLANTED, "data/raw/mimic", PLANTED, RESTRICTED),  # planted.json copied beside real files
        ("restricted", None, "data/synthetic/mimic", PLANTED, RESTRICTED),  # the cohort is of other files
        ("restricted", PLANTED, "data/synthetic/mimic", None, RESTRICTED),  # the files were exchanged since
    ],
)
def test_open_data_may_be_shared_and_restricted_ones_only_where_all_says_that_they_are_synthetic(
    tmp_path, monkeypatch, licence, in_cohort, raw, in_raw, reason
):
    monkeypatch.chdir(tmp_path)
    dataset = Path(raw).name
    cohort(dataset, licence, in_cohort)
    assert restriction(dataset, params(raw, in_raw)) == reason


def test_dvcs_own_push_sends_no_output_of_any_stage():
    outputs = 0
    for path in [ROOT / "dvc.yaml", *ROOT.glob("pipelines/*/dvc.yaml"), *ROOT.glob("stages/datasets/*/dvc.yaml")]:
        for name, stage in YAML(typ="safe").load(path.read_text())["stages"].items():
            own = stage.get("do", stage)
            for output in [*own.get("outs", []), *own.get("metrics", []), *own.get("plots", [])]:
                assert isinstance(output, dict), f"{path.relative_to(ROOT)}: {name}: {output} may be pushed"
                ((place, options),) = output.items()
                assert False in (options.get("push"), options.get("cache")), f"{name}: {place} may be pushed"
                outputs += 1
    assert outputs > 50
