"""Training without a trace: what it sets for the whole process is put back afterwards."""

import contextlib
import os
import random
import warnings
from collections.abc import Iterator

import numpy as np
import torch

ENVIRONMENT = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "CUBLAS_WORKSPACE_CONFIG")


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Restore random states, PyTorch's determinism, warnings and environment, whatever training makes of them."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 (the global state is meant)
    benchmark, mode = torch.backends.cudnn.benchmark, torch.get_deterministic_debug_mode()
    environment = {name: os.environ.get(name) for name in ENVIRONMENT}
    try:
        with warnings.catch_warnings():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        torch.backends.cudnn.benchmark = benchmark
        torch.set_deterministic_debug_mode(mode)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
