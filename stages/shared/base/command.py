"""What every stage's command line shares: --help, and one clear line instead of a traceback for bad input."""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from i2moe.base.errors import InputError
from stages.shared.base.later import LATER, put_off

# Before torch is imported: by default, threads that wait spin for so long that a second program on the machine makes
# small models ten times slower. Spinning a little less costs nothing on an idle machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

Dataset = Annotated[str, typer.Argument(help="a name of run.datasets")]
Model = Annotated[str, typer.Argument(help="a name under models.DATASET")]


def run(stage: Callable[..., None]) -> None:
    """Run a stage function as a command; an InputError ends in its message and exit code 1."""
    put_off(LATER)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(stage)
    try:
        app()
    except InputError as error:
        sys.exit(f"error: {error}")
