"""Time and peak memory of plots as mean word vectors and as sequences, on synthetic plots as large as the real ones.

`python -m benchmarks.words` writes a file of 3 million random vectors of 300 numbers (3.7 GB) to the temporary folder,
as large as GoogleNews-vectors-negative300.bin, averages them over 26,000 plots of 100 words, and then writes the plots
as sequences of words.
"""

import contextlib
import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from stages.shared.base.command import run
from stages.shared.steps import Steps, write_steps
from stages.shared.word_steps import find_known_words
from stages.shared.words import mean_vectors

TRAIN_SHARE = 0.7
BLOCK = 10_000  # vectors written at a time
WORDS_IN_PLOTS = 100_000  # of which a plot's words are drawn, frequent ones more often


def words(
    num_vectors: Annotated[int, typer.Option(help="words in the file")] = 3_000_000,
    dim: Annotated[int, typer.Option(help="numbers per vector")] = 300,
    num_plots: Annotated[int, typer.Option(help="plots")] = 26_000,
    length: Annotated[int, typer.Option(help="words per plot")] = 100,
) -> None:
    """Print how long the plots take, and the peak memory of the process so far."""
    generator = np.random.default_rng(0)
    ranks = np.minimum(generator.zipf(1.3, (num_plots, length)), WORDS_IN_PLOTS)
    plots = [" ".join(map(_word, row.tolist())) for row in ranks]
    with tempfile.TemporaryDirectory(prefix="i2moe-words-") as folder:
        path = Path(folder) / "synthetic-vectors.bin"
        write_vectors(path, num_vectors, dim, generator)
        start = time.perf_counter()
        found = mean_vectors(plots, path, "vectors")
        seconds = time.perf_counter() - start
        share = found.known.sum() / found.words.sum()
        print(
            f"{num_plots} plots of {length} words ({share:.1%} with a vector), {num_vectors} vectors of {dim} numbers:"
        )
        print(f"means: {seconds:.1f} s, peak memory {_peak():.2f} GB")
        start = time.perf_counter()
        known = find_known_words(plots, path, "vectors")
        read = time.perf_counter() - start
        with contextlib.chdir(folder):
            steps = Steps(known.vectors, known.ids.astype(np.int64), known.known)
            write_steps("synthetic", "plot", steps, [], np.arange(num_plots) < TRAIN_SHARE * num_plots, {})
        seconds = time.perf_counter() - start
        print(f"sequences: {seconds:.1f} s, of which reading {read:.1f} s, peak memory {_peak():.2f} GB")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # KiB on Linux


def _word(rank: int) -> str:
    """Name a word of the vocabulary in letters alone, since plots' digits are replaced."""
    return "w" + "".join(chr(ord("a") + int(digit)) for digit in str(rank))


def write_vectors(path: Path, num: int, dim: int, generator: np.random.Generator) -> None:
    """Write random vectors in word2vec's binary format, the plots' words first."""
    with path.open("wb") as stream:
        stream.write(f"{num} {dim}\n".encode())
        for start in tqdm(range(0, num, BLOCK), desc="writing vectors", unit="block", mininterval=1):
            block = generator.standard_normal((min(BLOCK, num - start), dim), dtype=np.float32)
            lines = (f"{_word(start + row)} ".encode() + vector.tobytes() for row, vector in enumerate(block))
            stream.write(b"".join(lines))


if __name__ == "__main__":
    run(words)
