"""One self-contained page with its tables and figures, from what the other stages wrote."""

from collections import defaultdict
from pathlib import Path

from markupsafe import Markup

from i2moe.explain.ability import AUROC_MARGIN, RANKINGS
from stages.report.layout import open_template
from stages.report.overview import summary
from stages.report.paper import paper_tables
from stages.report.planted import LEAST_SHARE
from stages.report.provenance import provenance
from stages.report.sections import DatasetSection, dataset_section
from stages.report.tables import Tables, write_tables
from stages.shared.base import paths
from stages.shared.cards import CONSTANT, REFERENCE
from stages.shared.files import write_whole
from stages.shared.runs import Run, read_run

TEMPLATE = Path(__file__).parent / "template"


def report() -> None:
    """Write reports/index.html, tables/*.csv and *.md, and figures/*.svg for what runs."""
    run = read_run()
    tables: Tables = defaultdict(list)
    sections = [dataset_section(run, dataset, tables) for dataset in run.datasets]
    write_tables(tables, run.datasets)
    page = paths.REPORTS / "index.html"
    write_whole(page, lambda partial: partial.write_text(render(run, sections, sorted(tables)), encoding="utf-8"))
    print(f"{page}: {', '.join(run.datasets)} x {', '.join(run.models)}")


def render(run: Run, sections: list[DatasetSection], tables: list[str]) -> str:
    """Fill the page's template."""
    return open_template(TEMPLATE / "page.html").render(
        run=run,
        sections=sections,
        tables=tables,
        paper=paper_tables(run),
        summary=summary([section.overview for section in sections]),
        provenance=provenance(run),
        style=Markup((TEMPLATE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (a file of ours)
        script=Markup((TEMPLATE / "explorer.js").read_text(encoding="utf-8")),  # noqa: S704
        reference=REFERENCE,
        constant=CONSTANT,
        rankings=sorted({ranking.name for ranking in RANKINGS.values()}),
        auroc_margin=AUROC_MARGIN,
        least_share=LEAST_SHARE,
    )
