"""Biospecimen features of ADNI; see `stages.adni.tables`."""

from stages.adni.tables import write_modality
from stages.command import run


def biospecimen() -> None:
    """Write data/features/adni/biospecimen.npy [N, F] and .json."""
    write_modality("biospecimen")


if __name__ == "__main__":
    run(biospecimen)
