"""What becomes of a fault, and how it is judged."""

import re
from dataclasses import dataclass

from benchmarks.faults.project import Done, Project

# What a user reads: of ours, else of DVC's.
MESSAGES = [
    re.compile(rf"(?:^|\]){words}.*$", re.MULTILINE)  # after a bar, which ends so
    for words in ("error: ", "stopped by ", "ERROR: ", r"'\S*dvc\.lock' (?:is invalid|validation failed)")
]
HEADER = (
    "| fault | what a user sees | exit code | wrong outputs accepted | same bytes after repetition |\n"
    "|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Outcome:
    """A fault, and what became of it."""

    fault: str
    said: str  # the message, or a word of what a killed program leaves
    code: int
    accepted: int  # outputs that DVC took for done and that are not those of an undisturbed run
    same: bool  # after a plain repetition, all outputs are those of an undisturbed run
    note: str = ""  # what went wrong

    @property
    def survived(self) -> bool:
        """Whether it ended well."""
        return self.same and not self.accepted and not self.note

    @property
    def row(self) -> str:
        """A row of the table."""
        same = "yes" if self.same else "**no**"
        said = self.said.replace("|", "\\|") + (f" **{self.note}**" if self.note else "")
        return f"| {self.fault} | {said} | {self.code} | {self.accepted} | {same} |"


def message(done: Done, folder: str) -> str:
    """Return the message of a program that failed, without the project's folder."""
    found = [line for pattern in MESSAGES for line in pattern.findall(done.said)]
    return found[0].removeprefix("]").replace(folder, ".") if found else ""


def judge(
    fault: str,
    project: Project,
    undisturbed: Project,
    done: Done,
    *,
    said: str | None = None,
    targets: tuple[str, ...] = (),
) -> Outcome:
    """Repeat a run after a fault, and compare what there is with an undisturbed run.

    Args:
        fault: in words.
        project: where it happened.
        undisturbed: where none did.
        done: the program that ended.
        said: what stands for a message of a program that could not give any.
        targets: stages; none is all.
    """
    right = undisturbed.done()
    accepted = sum(text != right.get(name) for name, text in project.done().items())
    again = project.repro(*targets)
    files, wanted = project.files(), undisturbed.files()
    different = [name for name in files.keys() | wanted.keys() if files.get(name) != wanted.get(name)]
    words = said if said is not None else message(done, str(project.folder))
    notes = [
        "a traceback" if "Traceback" in done.said else "",
        "no message" if not words else "",
        "it did not fail" if said is None and done.code == 0 else "",
        f"the repetition ended with {again.code}: {message(again, str(project.folder))}" if again.code else "",
        f"{len(different)} files differ, such as {min(different)}" if different else "",
    ]
    return Outcome(fault, words, done.code, accepted, not again.code and not different, "; ".join(filter(None, notes)))
