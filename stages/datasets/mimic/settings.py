"""The settings under data.mimic and synthetic.mimic: every choice that turns MIMIC-IV's tables into samples."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from i2moe.base.strict import OnceEach, Positive, Strict, in_order
from i2moe.contract.task import Licence, Task

Modality = Literal["lab", "note", "code"]
Seed = Annotated[int, Field(ge=0)]


class CohortSettings(Strict):
    """Who is in, and the label."""

    min_age: Positive  # years at admission
    min_admissions: Positive  # of a patient
    count_admissions: Literal["up_to_index", "all"]  # all: also those after the index admission, in which many die
    count_after_death_drop: bool  # count them after admissions that end in death are dropped
    drop_death_at_discharge: bool
    icd_versions: Annotated[list[Literal[9, 10]], Field(min_length=1, max_length=2), OnceEach]
    index_visit: Literal["first", "last"]
    mortality_days: Positive  # after the index discharge
    max_visits: Positive  # steps of a sequence, the index visit last


class LabSettings(Strict):
    """Labs and vitals; which, in `stages/datasets/mimic/lab/items.csv`."""

    vitals: bool
    summaries: Annotated[list[Literal["mean", "last"]], Field(min_length=1, max_length=2), OnceEach]
    impute: Literal["median", "mean"]
    missing_indicators: bool


class NoteSettings(Strict):
    """Discharge notes: TF-IDF, then truncated SVD; or a model's embeddings, which need no other key."""

    model: str | None  # local folder of a Hugging Face encoder, or its OWNER/NAME at the hub
    min_notes: Positive  # train notes that hold a term
    max_terms: Positive
    dim: Positive
    seed: Seed


class CodeSettings(Strict):
    """Diagnosis codes: their first characters."""

    length: Positive
    ecode_length: Positive  # of ICD-9 codes that start with E
    min_patients: Positive  # train patients who have a code


class Settings(Strict):
    """MIMIC-IV."""

    licence: ClassVar[Licence] = "restricted"
    task: ClassVar[Task] = "binary"

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(get_args(Modality))]
    incomplete: Literal["drop", "keep"] = "drop"  # admissions that lack a modality, as index admissions
    memory_limit: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?(MB|GB|MiB|GiB)$")]
    cohort: CohortSettings
    lab: LabSettings
    note: NoteSettings
    code: CodeSettings


class SyntheticSettings(Strict):
    """The synthetic MIMIC-IV."""

    patients: Positive
    seed: Seed
