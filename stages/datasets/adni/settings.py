"""The settings under data.adni and synthetic.adni: every choice that turns ADNI's files into samples."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from i2moe.base.strict import OnceEach, Positive, Strict, in_order
from i2moe.contract.task import Licence, Task

Modality = Literal["image", "genetic", "clinical", "biospecimen"]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=0)]
ClinicalTable = Literal["MEDHIST", "PTDEMOG", "NEUROEXM", "RECCMEDS", "VITALS"]
BiospecimenTable = Literal["APOERES", "UPENNBIOMK_ROCHE_ELECSYS", "BLENNOWPLASMANFL"]


class CohortSettings(Strict):
    """Who is in, the label, and when each subject is looked at."""

    label: Literal["stable", "visit"]
    visit: str
    undiagnosed_visits: Literal["ignore", "drop"]
    scan: Literal["latest", "first"]
    max_days_from_visit: Days
    max_days_after_scan: Days
    same_day: Literal["error", "last"]
    tables_needed: Literal["any", "all"]
    max_missing_genotypes: Share


class ImageSettings(Strict):
    """Grey-matter maps; of no meaning for FreeSurfer's table."""

    atlas: str
    grey_matter: int
    resample: bool
    downsample: Positive


class PruneSettings(Strict):
    """Pruning of variants in linkage disequilibrium."""

    window: Annotated[int, Field(ge=2)]  # variants
    max_r2: Annotated[float, Field(gt=0, lt=1)]


class GeneticSettings(Strict):
    """SNPs."""

    max_missing: Share
    min_maf: Annotated[float, Field(ge=0, le=0.5)]
    ambiguous: Literal["drop", "keep"]
    mismatched: Literal["error", "drop"]
    prune: PruneSettings | None
    variants: str | None
    impute: Literal["mode", "mean"]


class TablesSettings(Strict):
    """What the two kinds of tables have in common."""

    columns: Annotated[list[str], Field(min_length=1)] | None  # TABLE.COLUMN
    impute: Literal["median", "mean"]


class ClinicalSettings(TablesSettings):
    """Clinical tables."""

    tables: Annotated[list[ClinicalTable], Field(min_length=1), OnceEach]


class BiospecimenSettings(TablesSettings):
    """Biospecimen tables."""

    tables: Annotated[list[BiospecimenTable], Field(min_length=1), OnceEach]


class Settings(Strict):
    """ADNI."""

    licence: ClassVar[Licence] = "restricted"
    task: ClassVar[Task] = "multiclass"

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(get_args(Modality))]
    incomplete: Literal["drop", "keep"]
    image_source: Literal["ravens", "freesurfer"]
    cohort: CohortSettings
    image: ImageSettings
    genetic: GeneticSettings
    clinical: ClinicalSettings
    biospecimen: BiospecimenSettings

    @model_validator(mode="after")
    def _has_scans(self) -> Self:
        if "image" not in self.modalities:
            raise ValueError("modalities without image: the date of the scan tells which rows of the tables count")
        return self

    def tables(self, modality: str) -> list[str]:
        """Return the names of a modality's tables."""
        return list((self.clinical if modality == "clinical" else self.biospecimen).tables)


class SyntheticSettings(Strict):
    """The synthetic ADNI."""

    subjects: Positive
    variants: Positive
    seed: Annotated[int, Field(ge=0)]
