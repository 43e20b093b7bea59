"""One self-contained page with its tables and figures, from what the other stages wrote; or two runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from stages.report.against import write_against
from stages.report.page import report
from stages.report.paper import write_paper
from stages.report.plots import write_plots
from stages.shared.base.command import run
from stages.shared.runs import read_run

Against = Annotated[
    str | None,
    typer.Option(help="another run, to be compared with: its folder, a Git revision, or a DVC experiment"),
]
Out = Annotated[Path, typer.Option(help="with --against: the page; its tables are in a folder of the same name")]


def main(against: Against = None, out: Out = Path("against.html")) -> None:
    """Write the report, or compare this run with another one."""
    if against is None:
        report()
        run_settings = read_run()
        write_paper(run_settings)
        write_plots(run_settings)
    else:
        write_against(against, out)


if __name__ == "__main__":
    run(main)
