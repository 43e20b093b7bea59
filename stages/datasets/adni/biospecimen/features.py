"""Biospecimen features of ADNI; see `stages.datasets.adni.tables`."""

from stages.datasets.adni.tables import write_modality
from stages.shared.base.command import run


def biospecimen() -> None:
    """Write data/features/adni/biospecimen.npy [N, F] and .json."""
    write_modality("biospecimen")


if __name__ == "__main__":
    run(biospecimen)
