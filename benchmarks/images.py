"""Images per second of the poster and the screen stage, against the network's own forward pass at the same batch size.

`python -m benchmarks.images` draws synthetic images and times, in turn, the whole stage (read, decode, prepare,
forward, append to the store) and the bare forward pass; the ratio shows what reading costs.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from stages.shared.base.command import run
from stages.shared.images.images import Extractor, Item, Store, forward

NUM = {"poster": 96, "screen": 192}  # images
SIZES = {"poster": (512, 768), "screen": (540, 960)}  # width and height, pixels


def images(
    pairs: Annotated[int, typer.Option(help="timings of each side")] = 5,
    threads: Annotated[int, typer.Option(help="of torch; 0: its own default")] = 0,
) -> None:
    """Print images per second of both sides and their ratio, the median over pairs."""
    import torch

    from stages.datasets.enrico.image import build_extractor as screen_extractor
    from stages.datasets.enrico.settings import ImageSettings
    from stages.datasets.imdb.poster import build_extractor as poster_extractor
    from stages.datasets.imdb.settings import PosterSettings
    from stages.shared.base.params import load_block

    if threads:
        torch.set_num_threads(threads)
    networks: dict[str, Extractor] = {
        "poster": poster_extractor(load_block("data.imdb.poster", PosterSettings)),
        "screen": screen_extractor(load_block("data.enrico.image", ImageSettings), "screenshot"),
    }
    for name, extractor in networks.items():
        with tempfile.TemporaryDirectory(prefix="i2moe-images-") as folder:
            items = draw(Path(folder), *SIZES[name], NUM[name])
            compare(name, items, extractor, Path(folder) / "store", pairs)


def draw(folder: Path, width: int, height: int, num: int) -> dict[str, Item]:
    """Write JPEG files of coarse random colours with fine noise: about as long to decode as a photograph."""
    from PIL import Image

    generator = np.random.default_rng(0)
    items = {}
    for number in range(num):
        coarse = Image.fromarray(generator.integers(0, 255, (24, 16, 3), dtype=np.uint8)).resize((width, height))
        noise = generator.integers(-12, 12, (height, width, 3))
        path = folder / f"synthetic-{number}.jpeg"
        Image.fromarray((np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        items[str(number)] = Item(path, str(number))
    return items


def compare(name: str, items: dict[str, Item], extractor: Extractor, folder: Path, pairs: int) -> None:
    """Time both sides in turn and print their medians."""
    import torch

    network = extractor.network.eval().to(memory_format=torch.channels_last)
    batch = torch.randn(extractor.batch_size, 3, extractor.height, extractor.width)
    batch = batch.contiguous(memory_format=torch.channels_last)
    num_batches = len(items) // extractor.batch_size

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(num_batches):
                network(batch)

    def stage() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        store = Store(folder, int(np.prod(extractor.shape)))
        for keys, features in forward(items, extractor):
            store.append(keys, features)

    bare()
    seconds = [(time_of(stage), time_of(bare)) for _ in range(pairs)]
    own, least = (len(items) / statistics.median(side) for side in zip(*seconds, strict=True))
    ratio = statistics.median(first / second for first, second in seconds)
    print(f"{name}, batches of {extractor.batch_size}: {own:.1f} images per second,", end=" ")
    print(f"forward pass alone {least:.1f};", end="")
    print(f" {ratio - 1:+.1%} time")


def time_of(work: Callable[[], None]) -> float:
    """Return how many seconds a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    run(images)
