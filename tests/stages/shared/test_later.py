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


@pytest.mark.parametrize(
    "code",
    [
        "from torchmetrics.classification import MulticlassAccuracy as used",
        "import torchmetrics; used = torchmetrics.Accuracy",
        "import torch._dynamo.config; used = torch._dynamo.config",
        "import torch; used = torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1))",
    ],
)
def test_what_is_used_is_imported(code):
    check = "assert type(sys.modules['torch._dynamo']).__name__ == 'module'; " if "torch." in code else ""
    assert python(f"{PUT_OFF}{code}; {check}print(used is not None)") == "True"
