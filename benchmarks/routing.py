"""Which share of an I2MoE's tokens a sparse method drops in training, by view: `python -m benchmarks.routing`.

Each view of a batch has a capacity of its own. `--one-queue` measures the alternative, all views in one queue with
their capacity together, the intact view first. At the paper's sizes, on synthetic tokens with a planted label.
"""

from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from benchmarks.speed import Side, Target, build
from i2moe.fusion import moepp, switchgate
from i2moe.fusion.routing import Route, route

SPARSE = {"i2moe-switchgate": switchgate.SwitchGate, "i2moe-moepp": moepp.MoEPlusPlus}


def planted_batch(side: Side, places: list[Tensor]) -> None:
    """Draw new tokens around each modality's places [P, H], shifted by the label in the first modality."""
    labels = torch.randint(side.task.num_outputs, side.labels.shape)
    shift = (labels.float() - labels.float().mean()).view(-1, 1, 1)
    with torch.no_grad():
        for index, (own, place) in enumerate(zip(side.tokens, places, strict=True)):
            own.copy_(place + 0.5 * torch.randn_like(own) + (shift if index == 0 else 0))
    side.labels = labels


def recorder(dropped: list[Tensor], num_views: int) -> Callable[..., Route]:
    """Return `route`, which also notes the share of choices that each view loses [V]."""

    def noting(choices: Tensor, num_experts: int, capacity: int | None, num_groups: int) -> Route:
        routed = route(choices, num_experts, capacity, num_groups)
        wanted = choices < num_experts
        lost, wanted = (part.view(num_views, -1).sum(dim=1) for part in (wanted & ~routed.kept, wanted))
        dropped.append(lost / wanted)
        return routed

    return noting


def main(
    case: Annotated[str, typer.Argument(help="DATASET/MODEL of params.yaml")] = "mimic/i2moe-switchgate",
    steps: Annotated[int, typer.Option(help="of training; the last fifth is measured")] = 10,
    one_queue: Annotated[bool, typer.Option(help="all views in one queue")] = False,  # noqa: FBT002 (typer's way)
) -> None:
    """Train for some steps, and print the dropped share of each view."""
    dataset, _, model = case.partition("/")
    side, optimizer = build(dataset, model, Target(), ours=True)
    step = side.train(optimizer)
    views = 1 + len(side.tokens)
    places = [torch.randn(own.shape[1:]) for own in side.tokens]
    dropped: list[Tensor] = []
    for module in (switchgate, moepp):
        setattr(module, "route", recorder(dropped, views))  # noqa: B010 (mypy knows no `route` there)
    if one_queue:
        fusion: Any = SPARSE[model]
        own_views = fusion.fuse_views
        fusion.fuse_views = lambda self, embedded, num_views: own_views(self, embedded, 1)  # noqa: ARG005
    for number in range(steps):
        if number == steps - max(1, steps // 5):
            dropped.clear()
        planted_batch(side, places)
        step()
    shares = torch.stack(dropped).mean(dim=0)
    kind = "one queue" if one_queue else "each view by itself"
    print(f"{case}, {kind}: dropped of views 0 (intact) to {views - 1}: {', '.join(f'{one:.3f}' for one in shares)}")


if __name__ == "__main__":
    typer.run(main)
