"""Where small models are trained: the block `train` of the settings of tests."""

import json

HARDWARE = {
    "accelerator": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "precision": "32-true",
    "compile": False,
    "accumulate_grad_batches": 1,
    "num_workers": 0,
}
TRAIN_YAML = f"\ntrain: {json.dumps(HARDWARE)}"
