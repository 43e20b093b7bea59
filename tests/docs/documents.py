"""The documents as tests see them: links, headings, blocks, and the commands in blocks and in the text."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.pipeline.test_pipeline import ROOT

README = ROOT / "README.md"
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "stages/datasets").glob("*/README.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PLACE = re.compile(r"under `([a-z.]+)`")  # before a YAML block: where in params.yaml it goes
PROGRAMS = ("dvc", "git", "make", "pip", "python", "curl", ".")
SHELL = ("|", "&&", "||", ";", "&", ">", "<")
TINY = (
    "run.datasets=[wdbc]",
    "run.models=[i2moe-mult]",
    "run.seeds=[0]",
    "run.max_epochs=1",
    "synthetic.adni.subjects=60",
    "synthetic.adni.variants=300",
    "synthetic.mimic.patients=200",
    "synthetic.imdb.movies=70",
    "synthetic.mosi.videos=20",
    "synthetic.enrico.screens=60",
    "synthetic.mmhs.tweets=80",
    "synthetic.planted.samples=150",
    "models.defaults.hidden_dim=8",
    "models.defaults.encoder_dim=8",
    "models.defaults.num_patches=2",
    "models.wdbc.defaults.hidden_dim=8",
    "models.digits.defaults.hidden_dim=8",
    "models.mosi.mult.hidden_dim=8",
)


class Block(NamedTuple):
    """A fenced block: its document, language and text, and the document's text before it."""

    document: Path
    language: str
    text: str
    before: str


class Command(NamedTuple):
    """A command of a document, in words."""

    document: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return the command after its document, as the name of a test."""
        return f"{name_of(self.document)}: {shlex.join(self.words)}"

    @property
    def settings(self) -> dict[str, str]:
        """Return what the options -S set, by key."""
        pairs = [
            value.partition("=") for option, value in zip(self.words, self.words[1:], strict=False) if option == "-S"
        ]
        return {key.removeprefix("+"): value for key, _, value in pairs}


def name_of(document: Path) -> str:
    """Return a document's path from the root."""
    return document.relative_to(ROOT).as_posix()


def blocks(document: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a document, all or those of a language."""
    text = document.read_text()
    found = [Block(document, match[1], match[2], text[: match.start()]) for match in FENCE.finditer(text)]
    return [block for block in found if language in (None, block.language)]


def prose(document: Path) -> str:
    """Return a document without its fenced blocks."""
    return FENCE.sub("", document.read_text())


def commands(document: Path) -> list[Command]:
    """Return the commands of the bash blocks, in order; a line that ends in a backslash goes on in the next."""
    lines = [
        line
        for block in blocks(document, "bash")
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    return [Command(document, tuple(shlex.split(line, comments=True))) for line in lines]


def inline_code(document: Path) -> list[str]:
    """Return what stands between backticks in the text."""
    return INLINE.findall(prose(document))


def inline_commands(document: Path) -> list[Command]:
    """Return the commands that stand in the text, without options that stand there by themselves."""
    return [
        Command(document, tuple(shlex.split(code)))
        for code in inline_code(document)
        if code.partition(" ")[0] in PROGRAMS and " " in code
    ]


def inline_options(document: Path) -> list[Command]:
    """Return the options -S that stand in the text by themselves, those of one pair of backticks together."""
    return [Command(document, tuple(shlex.split(code))) for code in inline_code(document) if code.startswith("-S ")]


def every_command(documents: Iterable[Path]) -> list[Command]:
    """Return the commands of documents, in blocks and in the text, each once."""
    found = [command for document in documents for command in [*commands(document), *inline_commands(document)]]
    return list({command.words: command for command in reversed(found)}.values())[::-1]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    titles = [re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(prose(document))]
    return {title.strip().replace(" ", "-") for title in titles}


def paste(params: str, block: Block) -> str:
    """Return the text of params.yaml with a YAML block under the key that the text before the block names."""
    places = PLACE.findall(block.before)
    assert places, f"{name_of(block.document)}: say where this block goes, as in: Add under `data.tables`: {block.text}"
    position = 0
    for depth, key in enumerate(places[-1].split(".")):
        match = re.compile(rf"^{'  ' * depth}{key}:.*\n", re.MULTILINE).search(params, position)
        assert match, f"params.yaml has no key {places[-1]}"
        position = match.end()
    return params[:position] + block.text + params[position:]


def write_params(path: Path, *, pasted: Path | None = None, settings: tuple[str, ...] = ()) -> None:
    """Write params.yaml with a document's YAML blocks in it, then change settings as `dvc exp run -S` does."""
    from dvc.utils.hydra import apply_overrides

    text = (ROOT / "params.yaml").read_text()
    for block in blocks(pasted, "yaml") if pasted else []:
        text = paste(text, block)
    path.write_text(text)
    apply_overrides(path, list(settings))
