"""Clinical features of ADNI; see `stages.adni.tables`."""

from stages.adni.tables import write_modality
from stages.command import run


def clinical() -> None:
    """Write data/features/adni/clinical.npy [N, F] and .json."""
    write_modality("clinical")


if __name__ == "__main__":
    run(clinical)
