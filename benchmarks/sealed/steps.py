"""Time a training step of the sealed mixture against I2MoE's, on random tokens at the sizes of params.yaml."""

from collections.abc import Callable

import torch

from benchmarks.speed import TASKS, Target, interleaved
from i2moe.data import Batch
from i2moe.model.losses import task_loss, total_loss
from i2moe.model.multimodal import build_model
from stages.settings.params import load_params

PAIRS = 5
CASES = ("enrico", "mosi", "mimic")
WIDTH = 64  # of a modality's vector: what precedes the tokens is the same for both


def step_times() -> str:
    """Return a Markdown table of the milliseconds of a step, encoders included, and their ratio."""
    rows = ["| sizes of | modalities | i2moe-mult (ms) | sealed (ms) | ratio |", f"|{'---|' * 5}"]
    for dataset in CASES:
        seconds = interleaved({model: _step(dataset, model) for model in ("i2moe-mult", "sealed")}, PAIRS, Target())
        plain, sealed = 1e3 * seconds["i2moe-mult"], 1e3 * seconds["sealed"]
        count = len(TASKS[dataset].modalities)
        rows.append(f"| {dataset} | {count} | {plain:.0f} | {sealed:.0f} | **{sealed / plain:.2f}** |")
    return "\n".join(rows)


def _step(dataset: str, model: str) -> Callable[[], None]:
    config, task = load_params().models[dataset][model], TASKS[dataset]
    config = config.model_copy(update={"encoder": "mlp", "class_weights": None})
    torch.manual_seed(0)
    kinds = dict.fromkeys(task.modalities, "vector")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(kinds, (WIDTH,))
    built = build_model(config, kinds=kinds, shapes=shapes, task=task.kind, num_outputs=task.num_outputs).train()
    optimizer = torch.optim.Adam(built.parameters(), lr=config.learning_rate, fused=True)
    size = config.batch_size
    labels = torch.randn(size) if task.kind == "regression" else torch.randint(task.num_outputs, (size,))
    batch = Batch({name: torch.randn(size, WIDTH) for name in kinds}, {}, labels, torch.arange(size), {})

    def step() -> None:
        prediction = built(batch)
        loss = task_loss(task.kind, prediction.logits, labels)
        optimizer.zero_grad()
        total_loss(loss, prediction.interaction_losses, config.role_weight, None, 0).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
