"""The README's own-data example on the real table, from its file to features."""

import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from i2moe.data import FeatureSet
from stages.datasets.tables.cohort import cohort
from stages.datasets.tables.features import features
from stages.shared.base import paths

ROOT = Path(__file__).parents[4]
AD_DATA = ROOT.parent / "shared" / "data" / "ad_data" / "ad_data.csv"


@pytest.mark.skipif(not AD_DATA.exists(), reason=f"needs the real table at {AD_DATA}")
def test_the_readmes_example_turns_the_real_table_into_four_modalities(tmp_path, monkeypatch):
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    *_, data_block, models_block = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["data"]["tables"] |= yaml.load(data_block)
    params["data"]["tables"]["ad"]["raw"] = str(AD_DATA)
    params["models"] |= yaml.load(models_block)
    monkeypatch.chdir(tmp_path)
    yaml.dump(params, Path("params.yaml"))
    cohort("ad")
    features("ad")
    dataset = FeatureSet(paths.features("ad"), paths.cohort("ad"))
    assert len(dataset) == 333
    assert dataset.classes == ["Control", "Impaired"]
    assert np.bincount(dataset.labels).tolist() == [242, 91]
    # Genotype has six values, one-hot; sex is a number here.
    assert dataset.shapes == {"tau": (3,), "person": (2,), "apoe": (6,), "proteins": (124,)}
    assert dataset.arrays["proteins"][dataset.rows("train")].mean(axis=0) == pytest.approx(0, abs=1e-4)
