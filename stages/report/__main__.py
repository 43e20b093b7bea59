"""One self-contained page with its tables and figures, from what the other stages wrote."""

from stages.report.page import report
from stages.shared.base.command import run

if __name__ == "__main__":
    run(report)
