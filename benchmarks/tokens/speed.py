"""How fast sets of tokens are evaluated, next to plain passes: `python -m benchmarks.tokens.speed`.

The model is fl-i2moe with random weights, at sizes of MM-IMDb's: 100 words and 49 patches of a poster. An evaluation is
one expert's value of one set of tokens; a plain pass is the same expert on as many samples in a batch of the same size.
"""

import resource
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer

from i2moe.data import Batch
from i2moe.explain.tokens.interaction import Sampling
from i2moe.explain.tokens.probe import Probe
from i2moe.explain.tokens.reading import Reading, ReadingGame
from i2moe.inference import EVALUATION_BATCH
from i2moe.model.multimodal import build_model
from i2moe.model.tokens import samples, sum_over_samples
from stages.settings.params import load_params

WORDS, VECTOR, MAP, GENRES = 100, 300, (512, 7, 7), 23
REPEATS = 5


def read(num_samples: int, hidden_dim: int, seed: int) -> Reading:
    """Read a model with random weights on random samples, whose plots are of 20 words or more."""
    torch.manual_seed(seed)
    config = load_params().models["imdb"]["fl-i2moe"].model_copy(update={"hidden_dim": hidden_dim})
    kinds, shapes = {"plot": "sequence", "poster": "image"}, {"plot": (WORDS, VECTOR), "poster": MAP}
    model = build_model(config, kinds=kinds, shapes=shapes, task="multilabel", num_outputs=GENRES).eval()
    inputs = {"plot": torch.randn(num_samples, WORDS, VECTOR), "poster": torch.randn(num_samples, *MAP)}
    lengths = {"plot": torch.randint(20, WORDS + 1, (num_samples,))}
    rows = torch.arange(num_samples)
    with torch.no_grad():
        tokens = model.tokens(Batch(inputs, lengths, torch.zeros(num_samples, GENRES), rows, {}))
    return Reading(model, tokens, [total / count for total, count in map(sum_over_samples, tokens)], "multilabel")


def seconds(call: Callable[[], object]) -> float:
    """Return the median time of a call after a first one."""
    call()
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def rates(reading: Reading) -> tuple[float, float]:
    """Return an expert's evaluations a second, and its plain passes of samples a second in batches of the same size."""
    name, batch = "synergy", reading.at_once
    game = ReadingGame(reading, name, "log-probability")
    keep = np.random.default_rng(0).random((1, batch, len(reading.players.modality))) < 0.5  # noqa: PLR2004
    index = torch.arange(batch) % len(reading.players.real)
    tokens = [samples(own, index) for own in reading.tokens]
    fusion = reading.fusions[name]

    def plain() -> None:
        with torch.no_grad():
            fusion(tokens)

    return batch / seconds(lambda: game(keep, np.array([0]))), batch / seconds(plain)


def main(
    num_samples: Annotated[int, typer.Option(help="that are read")] = 200,
    hidden_dim: Annotated[int, typer.Option(help="width of a token")] = 64,
    top: Annotated[int, typer.Option(help="tokens of each modality whose pairs are probed")] = 10,
    draws: Annotated[int, typer.Option(help="contexts of a pair")] = 2,
    whole: Annotated[bool, typer.Option("--whole", help="also read everything, of all experts")] = False,  # noqa: FBT002
) -> None:
    """Print evaluations a second, plain passes a second, their ratio; and the time and memory of a whole reading."""
    reading = read(max(num_samples, EVALUATION_BATCH), hidden_dim, 0)
    evaluated, passed = rates(reading)
    print(f"{evaluated:.0f} evaluations and {passed:.0f} plain passes a second, ratio {evaluated / passed:.2f}")
    if whole:
        start = time.perf_counter()
        sampling = Sampling(tolerance=1e-9, round=draws, most=draws)
        probe = Probe(read(num_samples, hidden_dim, 0), read(num_samples, hidden_dim, 1), sampling, top)
        for name in probe.trained.names:
            probe.of(name)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{num_samples} samples, all experts, {top**2} pairs: {time.perf_counter() - start:.0f} s, {peak:.1f} GB")


if __name__ == "__main__":
    typer.run(main)
