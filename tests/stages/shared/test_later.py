"""Modules that are imported later: what nothing uses is not imported, and what is used is the module itself."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = {"torchvision", "scipy", "sympy", "matplotlib", "torch._inductor"}


def python(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


PUT_OFF = "import sys; from stages.shared.base.later import LATER, put_off; put_off(LATER); "


def test_a_training_process_imports_neither_images_nor_compilers_before_its_first_batch():
    code = "import i2moe.training, torch; torch.optim.Adam([torch.nn.Parameter(torch.ones(1))]).step(); "
    assert python(f"{PUT_OFF}{code}print(sorted({HEAVY} & set(sys.modules)))") == "[]"
    assert python(f"import sys; {code}print(sorted({HEAVY} & set(sys.modules)))") != "[]"


def test_k_means_needs_no_statistics_of_scipys():
    code = "from sklearn.cluster import KMeans; KMeans(2, n_init=1).fit([[0.0], [0.1], [1.0]]).predict([[0.2]]); "
    assert python(f"{PUT_OFF}{code}print('scipy.stats._stats_py' in sys.modules)") == "False"
    assert python(f"import sys; {code}print('scipy.stats._stats_py' in sys.modules)") == "True"


@pytest.mark.parametrize(
    "code",
    [
        "from torchmetrics.classification import MulticlassAccuracy as used",
        "import torchmetrics; used = torchmetrics.Accuracy",
        "import torch._dynamo.config; used = torch._dynamo.config",
        "import torch; used = torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1))",
        "from scipy.stats import rankdata; assert rankdata([3, 1, 1]).tolist() == [3, 1.5, 1.5]; used = rankdata",
        "from scipy.stats import chi2; assert 5.9 < chi2.ppf(0.95, 2) < 6.0; used = chi2",
        "from scipy.stats import norm as used",
    ],
)
def test_what_is_used_is_imported(code):
    check = "assert type(sys.modules['torch._dynamo']).__name__ == 'module'; " if "torch." in code else ""
    assert python(f"{PUT_OFF}{code}; {check}print(used is not None)") == "True"
