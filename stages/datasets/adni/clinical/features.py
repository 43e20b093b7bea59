"""Clinical features of ADNI; see `stages.datasets.adni.tables`."""

from stages.datasets.adni.tables import write_modality
from stages.shared.base.command import run


def clinical() -> None:
    """Write data/features/adni/clinical.npy [N, F] and .json."""
    write_modality("clinical")


if __name__ == "__main__":
    run(clinical)
