"""Training steps of i2moe-mult on the prepared rows, ours and those of the plain loop.

Both have the same encoders, data loader, losses and batches, and the same sizes.
"""

import copy
import itertools
from collections.abc import Callable
from typing import Annotated

import torch
import typer

from benchmarks.loop import LoopMixture
from benchmarks.speed import Target, interleaved
from i2moe.data import FeatureSet
from i2moe.inference import build_for
from i2moe.model.config import ModelConfig
from i2moe.model.fusion import build_fusion
from i2moe.model.interaction import InteractionMoE
from i2moe.model.losses import INTERACTION_LOSSES
from i2moe.model.multimodal import sizes_of
from i2moe.training import TrainingModule
from stages.shared.base import paths
from stages.shared.runs import read_model

DATASET, MODEL = "rows", "i2moe-mult"


def looped(module: TrainingModule, features: FeatureSet, config: ModelConfig) -> TrainingModule:
    """Put the plain loop over experts and views in the place of a module's mixture."""
    mixture = module.model.fusion
    assert isinstance(mixture, InteractionMoE)  # noqa: S101 (the only model here)
    fusion = build_fusion(config.fusion, sizes_of(config, features.kinds, features.shapes, features.num_outputs))
    losses = INTERACTION_LOSSES[features.task]
    reweighting = copy.deepcopy(mixture.reweighting)
    loop = LoopMixture(fusion, reweighting, features.modalities, mixture.expert_names, losses)
    module.model.fusion = loop
    module.predict = lambda tokens, *_: loop(tokens)
    return module


def training_step(module: TrainingModule, features: FeatureSet, batch_size: int, *, fused: bool) -> Callable[[], None]:
    """Return a whole step: the next batch of the epoch, forward and backward pass, and Adam."""
    batches = itertools.cycle(features.loader("train", batch_size, shuffle_seed=0))
    optimizer = torch.optim.Adam(module.parameters(), lr=module.config.learning_rate, fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        module.training_step(next(batches)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def main(
    pairs: Annotated[int, typer.Option(help="timed steps of each side")] = 3,
    loop: Annotated[bool, typer.Option(help="the plain loop too, in turns")] = True,  # noqa: FBT002
) -> None:
    """Print the median seconds of a step, ours and then the loop's."""
    features = FeatureSet(paths.features(DATASET), paths.cohort(DATASET))
    config = read_model(DATASET, MODEL)
    modules = {"ours": TrainingModule(build_for(features, config), features, config, seed=0)}
    if loop:
        other = TrainingModule(build_for(features, config), features, config, seed=0)
        modules["loop"] = looped(other, features, config)
    steps = {
        name: training_step(module.train(), features, config.batch_size, fused=name == "ours")
        for name, module in modules.items()
    }
    print(*interleaved(steps, pairs, Target()).values())


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
