"""Time I2MoE's training step and inference against a plain loop, at the paper's sizes: `python -m benchmarks.speed`.

Both sides do the same mathematics in one process on the same threads, in turn; the ratio of their medians is reported,
since it depends least on the machine. The arithmetic floor is the step's floating-point operations at the speed of this
device's matrix product. Kernel launches are counted on PyTorch's `meta` device, on which the code takes the path it
takes on any accelerator.

`--device cuda` measures on a GPU (wall time up to the end of its work), `--precision bf16-mixed` as Lightning's
`train.precision` of that name does, and `--precision tf32` float32 with the matrix products in TensorFloat-32.
`--compile` compiles ours as `train.compile` does, and the fusion method alone.
"""

import contextlib
import copy
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.loop import LoopMixture
from i2moe.model.config import InteractionConfig, ModelConfig, ReweightingConfig
from i2moe.model.fusion import Sizes, build_fusion
from i2moe.model.interaction import InteractionMoE, Prediction, Reweighting
from i2moe.model.losses import INTERACTION_LOSSES, task_loss, total_loss
from stages.settings.params import load_params


@dataclass(frozen=True)
class Task:
    """What the paper's datasets ask of a model (its section 4)."""

    modalities: list[str]
    kind: str
    num_outputs: int


TASKS = {
    "adni": Task(["image", "genetic", "clinical", "biospecimen"], "multiclass", 3),
    "mimic": Task(["lab", "note", "code"], "binary", 2),
    "imdb": Task(["language", "image"], "multilabel", 23),
    "mosi": Task(["vision", "audio", "text"], "regression", 1),
    "enrico": Task(["screenshot", "wireframe"], "multiclass", 20),
}
WARM_UP = 2  # steps that are not timed
CASES = [(dataset, "i2moe-mult") for dataset in TASKS]
CASES += [("adni", f"i2moe-{method}") for method in ("switchgate", "moepp", "interpretcc")]


@dataclass(frozen=True)
class Target:
    """On what to measure."""

    device: str = "cpu"
    precision: str = "32-true"  # 32-true | tf32 | bf16-mixed
    compile: bool = False  # all but the loop, by `torch.compile`

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return what the forward pass runs in."""
        if self.precision != "bf16-mixed":
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)

    def wait(self) -> None:
        """Wait for the device's work."""
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize()


class Side:
    """One of the two implementations with its optimiser, on random tokens."""

    def __init__(self, model: nn.Module, config: ModelConfig, task: Task, target: Target, batch: int) -> None:
        self.model, self.config, self.task, self.target = model.to(target.device), config, task, target
        compiled = target.compile and not isinstance(model, LoopMixture)
        self.predict = torch.compile(self.model) if compiled else self.model
        device = target.device
        shape = (batch, config.num_patches, config.hidden_dim)
        self.tokens = [torch.randn(shape, device=device, requires_grad=True) for _ in task.modalities]
        self.labels = _labels(task, batch).to(device)

    def loss(self) -> Tensor:
        """Run the forward pass of a training step."""
        assert self.config.interaction is not None  # noqa: S101 (every case is an I2MoE)
        with self.target.autocast():
            prediction: Prediction = self.predict(self.tokens)
            return total_loss(
                task_loss(self.task.kind, prediction.logits, self.labels),
                prediction.interaction_losses,
                self.config.interaction.loss_weight,
                prediction.balance_loss,
                getattr(self.config.fusion, "balance_weight", 0.0),
            )

    def train(self, optimizer: torch.optim.Optimizer) -> Callable[[], None]:
        """Return the training step."""

        def step() -> None:
            self.model.train()
            optimizer.zero_grad()
            self.loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

        return step

    def infer(self, batch: int) -> Callable[[], None]:
        """Return the inference of a batch."""
        tokens = [modality[:batch].detach() for modality in self.tokens]

        def step() -> None:
            self.model.eval()
            with torch.inference_mode(), self.target.autocast():
                self.predict(tokens)

        return step


class Alone(nn.Module):
    """One fusion method without interaction experts, for what an I2MoE costs more."""

    def __init__(self, fusion: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, tokens: list[Tensor]) -> Prediction:
        """Predict from M token tensors [B, P, H]."""
        fused = self.fusion(tokens)
        return Prediction(fused.logits, balance_loss=fused.balance_loss)


def _labels(task: Task, batch: int) -> Tensor:
    if task.kind == "multilabel":
        return torch.randint(2, (batch, task.num_outputs))
    return torch.randn(batch) if task.kind == "regression" else torch.randint(task.num_outputs, (batch,))


def build(
    dataset: str, model: str, target: Target, *, ours: bool, alone: bool = False
) -> tuple[Side, torch.optim.Optimizer]:
    """Build one side at the sizes of params.yaml, with the optimiser that goes with it; alone: the fusion method."""
    config, task = load_params().models[dataset][model], TASKS[dataset]
    assert isinstance(config.interaction, InteractionConfig)  # noqa: S101
    assert isinstance(config.reweighting, ReweightingConfig)  # noqa: S101
    torch.manual_seed(0)
    num_modalities = len(task.modalities)
    sizes = Sizes(num_modalities, config.num_patches, config.hidden_dim, task.num_outputs, config.dropout)
    fusion = build_fusion(config.fusion, sizes)
    reweighting = Reweighting(
        num_modalities * config.hidden_dim,
        num_modalities + 2,
        dropout=config.dropout,
        **config.reweighting.model_dump(),
    )
    losses = INTERACTION_LOSSES[task.kind]
    mixture: nn.Module = InteractionMoE(fusion, reweighting, task.modalities, losses, config.interaction)
    if alone:
        mixture = Alone(fusion)
    elif not ours:
        names = list(mixture.expert_names)  # type: ignore[arg-type]
        mixture = LoopMixture(fusion, copy.deepcopy(reweighting), task.modalities, names, losses)
    side = Side(mixture, config, task, target, config.batch_size)
    return side, torch.optim.Adam(side.model.parameters(), lr=config.learning_rate, fused=ours)


def interleaved(steps: Mapping[str, Callable[[], object]], pairs: int, target: Target) -> dict[str, float]:
    """Return each step's median seconds, run in turns.

    On one thread of a CPU it is process time, so that other programs count less.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    clock = time.process_time if target.device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    for turn in range(pairs + WARM_UP):
        for name, step in steps.items():
            target.wait()
            start = clock()
            step()
            target.wait()
            end = clock()
            if turn >= WARM_UP:
                times[name].append(end - start)
    return {name: statistics.median(values) for name, values in times.items()}


class LaunchCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count the operations that a device would be sent: all but views and queries."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Run an operation and count it unless its result is a view."""
        name = func.__name__
        self.launches += not (func.is_view or name.startswith(("empty", "detach", "_unsafe_view")))
        return func(*args, **(kwargs or {}))


def launches(dataset: str, model: str, *, ours: bool) -> int:
    """Count the launches of a training step's forward and backward pass."""
    side, _ = build(dataset, model, Target(), ours=ours)
    # A loop over sparse experts asks how many tokens each has, which `meta` cannot tell.
    device = "cpu" if not ours and hasattr(side.config.fusion, "num_experts") else "meta"
    side = Side(side.model.train(), side.config, side.task, Target(device), side.config.batch_size)
    with LaunchCounter() as counter:
        side.loss().backward()  # type: ignore[no-untyped-call]
    return int(counter.launches)


def floor_seconds(dataset: str, model: str, target: Target) -> tuple[float, float]:
    """Return the GFLOP of a plain training step, and the seconds they take at the speed of a large matrix product."""
    side, _ = build(dataset, model, target, ours=False)
    side.model.train()
    with FlopCounterMode(display=False) as counter:
        side.loss().backward()  # type: ignore[no-untyped-call]
    size = 2048 if target.device == "cpu" else 8192
    left, right = (torch.randn(size, size, device=target.device) for _ in range(2))

    def product() -> None:
        with target.autocast():
            torch.mm(left, right)

    seconds = interleaved({"product": product}, 7, target)["product"]
    return counter.get_total_flops() / 1e9, counter.get_total_flops() * seconds / (2 * size**3)


def peak_megabytes(dataset: str, model: str, target: Target, *, ours: bool) -> float:
    """Return the peak growth over three training steps: of a GPU's memory, or of a separate process (Linux only)."""
    if target.device != "cpu":
        side, optimizer = build(dataset, model, target, ours=ours)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        _train_thrice(side, optimizer)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    command = [sys.executable, "-m", "benchmarks.speed", "--peak-of", "ours" if ours else "loop", f"{dataset}/{model}"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def _print_peak(dataset: str, model: str, *, ours: bool) -> None:
    side, optimizer = build(dataset, model, Target(), ours=ours)
    forget_peak()
    before = process_megabytes("VmRSS")
    _train_thrice(side, optimizer)
    print(process_megabytes("VmHWM") - before)


def _train_thrice(side: Side, optimizer: torch.optim.Optimizer) -> None:
    step = side.train(optimizer)
    for _ in range(3):
        step()


def forget_peak() -> None:
    """Let the process's peak memory (VmHWM) begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def process_megabytes(key: str) -> float:
    """Return one of Linux's figures on this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{key}:"))) / 1024


def row(dataset: str, model: str, pairs: int, target: Target) -> list[str]:
    """Measure one case."""
    (ours, our_optimizer), (loop, loop_optimizer) = (build(dataset, model, target, ours=side) for side in (True, False))
    alone, own_optimizer = build(dataset, model, target, ours=True, alone=True)
    steps = {"ours": ours.train(our_optimizer), "loop": loop.train(loop_optimizer), "alone": alone.train(own_optimizer)}
    step = interleaved(steps, pairs, target)
    batch = ours.config.batch_size
    many = interleaved({"ours": ours.infer(batch), "loop": loop.infer(batch)}, 3 * pairs, target)
    single = interleaved({"ours": ours.infer(1), "loop": loop.infer(1)}, 10 * pairs, target)
    gigaflop, floor = floor_seconds(dataset, model, target)
    peak = [peak_megabytes(dataset, model, target, ours=side) for side in (True, False)]
    return [
        f"{dataset} {model}",
        f"{1e3 * step['loop']:.3g}",
        f"{1e3 * step['ours']:.3g}",
        f"**{step['loop'] / step['ours']:.2f}**",
        f"{step['ours'] / step['alone']:.1f}",
        f"{1e3 * floor:.2g} ({gigaflop:.0f} GFLOP)",
        f"{many['loop'] / many['ours']:.2f}",
        f"{single['loop'] / single['ours']:.2f}",
        f"{launches(dataset, model, ours=False)}",
        f"{launches(dataset, model, ours=True)}",
        f"{peak[0] / peak[1]:.2f} ({peak[0]:.0f} MB)",
    ]


HEADER = [
    "case",
    "step, loop (ms)",
    "step, ours (ms)",
    "ratio",
    "of one fusion's step",
    "floor (ms)",
    "inference ratio",
    "one sample",
    "launches, loop",
    "launches, ours",
    "peak memory ratio",
]


def main(
    case: Annotated[list[str] | None, typer.Argument(help="DATASET/MODEL of params.yaml; default: all cases")] = None,
    pairs: Annotated[int, typer.Option(help="timed pairs of training steps")] = 7,
    threads: Annotated[int, typer.Option(help="of PyTorch; 1 measures process time, more wall time")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    precision: Annotated[str, typer.Option(help="32-true, tf32 or bf16-mixed")] = "32-true",
    compiled: Annotated[bool, typer.Option("--compile", help="as train.compile does")] = False,  # noqa: FBT002
    peak_of: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Print a Markdown table: training step, inference, kernel launches and peak memory, ours against the loop."""
    torch.set_num_threads(threads)
    cases = [(dataset, model) for dataset, _, model in (name.partition("/") for name in case)] if case else CASES
    if peak_of:
        _print_peak(*cases[0], ours=peak_of == "ours")
        return
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    target = Target(device, precision, compiled)
    name = torch.cuda.get_device_name() if device == "cuda" else f"{threads} thread(s)"
    how = ", compiled" if compiled else ""
    print(f"torch {torch.__version__}, {name}, {precision}{how}\n")
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}", flush=True)
    for dataset, model in cases:
        print(f"| {' | '.join(row(dataset, model, pairs, target))} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
