"""The settings under data.mimic and synthetic.mimic: every choice that turns MIMIC-IV's tables into samples."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from i2moe.base.strict import Positive, Strict, in_order, once_each

Seed = Annotated[int, Field(ge=0)]


class CohortSettings(Strict):
    """Who is in, and the label."""

    min_age: Positive  # years at admission
    min_admissions: Positive  # of a patient
    count_after_death_drop: bool  # count them after admissions that end in death are dropped
    drop_death_at_discharge: bool
    icd_versions: Annotated[list[Literal[9, 10]], Field(min_length=1, max_length=2)]
    index_visit: Literal["first", "last"]
    mortality_days: Positive  # after the index discharge
    max_visits: Positive  # steps of a sequence, the index visit last

    @field_validator("icd_versions")
    @classmethod
    def _once_each(cls, values: list[int]) -> list[int]:
        return once_each(values)


class LabSettings(Strict):
    """Labs and vitals; which, in `stages/datasets/mimic/lab/items.csv`."""

    vitals: bool
    summaries: Annotated[list[Literal["mean", "last"]], Field(min_length=1, max_length=2)]
    impute: Literal["median", "mean"]
    missing_indicators: bool

    @field_validator("summaries")
    @classmethod
    def _once_each(cls, values: list[str]) -> list[str]:
        return once_each(values)


class NoteSettings(Strict):
    """Discharge notes: TF-IDF, then truncated SVD; or a local model's embeddings, which need no other key."""

    model: str | None  # folder of a Hugging Face encoder and its tokenizer
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

    raw: str
    modalities: Annotated[list[Literal["lab", "note", "code"]], Field(min_length=1)]
    memory_limit: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?(MB|GB|MiB|GiB)$")]
    cohort: CohortSettings
    lab: LabSettings
    note: NoteSettings
    code: CodeSettings

    @field_validator("modalities")
    @classmethod
    def _in_order(cls, names: list[str]) -> list[str]:
        return in_order(names, ("lab", "note", "code"))


class SyntheticSettings(Strict):
    """The synthetic MIMIC-IV."""

    patients: Positive
    seed: Seed
