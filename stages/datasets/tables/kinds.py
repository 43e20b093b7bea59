"""What a modality of a table may be: columns, images, texts, series or arrays; each fitted on train, then applied.

Shapes: N samples, F features, T steps.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.columns import ColumnEncoder
from i2moe.preparation.fitted import Fitted
from stages.datasets.tables.cells import image_paths, texts_of
from stages.datasets.tables.columns import in_columns
from stages.datasets.tables.rows import Raw, open_array, read_steps, refuse_non_finite
from stages.datasets.tables.settings import TFIDF, WORDS, Array, Image, Modality, Sequence, Text
from stages.shared.features import write_present, write_sequences, write_vectors

Bools = NDArray[np.bool_]


class Kind(ABC):
    """One modality of N samples."""

    def __init__(self, name: str, raw: Raw, present: Bools) -> None:
        self.name = name
        self.raw = raw
        self.present = present  # [N]
        self.unseen: dict[str, float] = {}  # by column, share of values that train never had, once applied

    @property
    def place(self) -> str:
        """Where the modality is, for errors."""
        return f"{self.raw.params.raw} modality {self.name!r}"

    @abstractmethod
    def fit(self, is_train: Bools) -> Fitted:
        """Fit to the train samples [N] that have the modality."""

    @abstractmethod
    def write(self, folder: Path, fitted: Fitted, about: dict[str, Any]) -> None:
        """Write the modality's files for all samples, with what was fitted; `about` goes into the description."""

    def _write_vectors(self, folder: Path, array: NDArray[Any], about: dict[str, Any]) -> None:
        """Write vectors [N, F], 0 where the modality is absent."""
        array[~self.present] = 0
        write_vectors(folder, self.name, array, about)
        write_present(folder, self.name, self.present)


class OfColumns(Kind):
    """Columns of the tables."""

    def __init__(self, name: str, raw: Raw) -> None:
        self.own = raw.table[raw.columns[name]]
        present = in_columns(self.own)
        super().__init__(name, raw, present)

    def fit(self, is_train: Bools) -> Fitted:
        """Fit the encoder of columns."""
        params = self.raw.params
        return ColumnEncoder.fit(
            self.own,
            is_train & self.present,
            params.raw,
            categorical=[name for name in self.own.columns if name in params.categorical],
            may_show=params.licence == "open",
        ).fitted()

    def write(self, folder: Path, fitted: Fitted, about: dict[str, Any]) -> None:
        """Write vectors."""
        encoder = ColumnEncoder.from_fitted(fitted)
        array = encoder.transform(self.own, self.raw.params.raw)
        self.unseen = encoder.drift(self.own)
        missing = self.own[self.present].isna().sum()
        description = {
            "features": encoder.features,
            "numeric_columns": encoder.numbers.names,
            "categorical_columns": [own.name for own in encoder.categories],
            "missing_values": {str(name): int(count) for name, count in missing.items() if count},
        }
        self._write_vectors(folder, array, about | description)


class OfImages(Kind):
    """Pictures by path."""

    def __init__(self, name: str, raw: Raw, settings: Image) -> None:
        self.settings = settings
        self.paths, present = image_paths(raw, settings.column)
        super().__init__(name, raw, present)

    @cached_property
    def _features(self) -> tuple[Any, NDArray[np.int64], Any]:
        """Return the images' features, the row of each sample among them (-1: none), and the network."""
        from stages.shared.images.image_features import Images
        from stages.shared.images.images import Item, embed

        extractor = self._extractor()
        source = f"{self.raw.params.raw} column {self.settings.column!r}"
        rows = np.flatnonzero(self.present)
        items = [
            Item(path, self.raw.table.index[row], place=f"{source}, sample {row + 1} by id: its file")
            for path, row in zip(self.paths, rows, strict=True)
        ]
        features, found = embed(items, extractor)
        rows = np.full(len(self.present), -1)
        rows[self.present] = found
        return Images(lambda part: features[part].astype(np.float32), extractor.shape, source), rows, extractor

    def _extractor(self) -> Any:  # noqa: ANN401 (imported where it is used)
        from stages.shared.images.networks import VECTORS, vector_extractor

        own, key = self.settings, f"modalities.{self.name}.image"
        remedy = "bring the file again, or leave its path empty"
        if own.network in VECTORS:
            return vector_extractor(
                own.network, own.weights, own.seed, own.batch_size, key=f"{key}.weights", remedy=remedy
            )
        from PIL import Image as Picture
        from PIL import ImageOps

        from stages.shared.pretrained.vision import load_vision_tower

        tower = load_vision_tower(own.network, f"{key}.network")
        size, method = (tower.width, tower.height), Picture.Resampling(tower.resample)
        return tower.extractor(lambda image, _: ImageOps.fit(image, size, method), "fit", own.batch_size, remedy)

    def fit(self, is_train: Bools) -> Fitted:
        """Fit the scale."""
        from stages.shared.images.image_features import fit_scale

        images, rows, _ = self._features
        return fit_scale(images, rows[is_train & self.present]).fitted()

    def write(self, folder: Path, fitted: Fitted, about: dict[str, Any]) -> None:
        """Write vectors, or maps of a vision tower's patches."""
        from stages.shared.images.image_features import scale_of, write_images

        images, rows, extractor = self._features
        kind = "vector" if len(extractor.shape) == 1 else "image"
        note = {"note": extractor.note} if extractor.note else {}
        described = {"kind": kind, "shape": list(extractor.shape), "network": extractor.name} | note
        write_images(folder, self.name, images, rows, scale_of(fitted), about | described)


class OfTexts(Kind):
    """Texts of a column."""

    def __init__(self, name: str, raw: Raw, settings: Text) -> None:
        self.settings = settings
        self.texts, present = texts_of(raw, settings.column)
        super().__init__(name, raw, present)

    def fit(self, is_train: Bools) -> Fitted:
        """Fit terms where the encoder needs any, and means and scales of the vectors."""
        fitted: Fitted = {}
        if self.settings.encoder == TFIDF:
            fitted = self._fit_terms(is_train[self.present])
        vectors, is_known = self._vectors(fitted)
        own = vectors[is_known & is_train[self.present]]
        if not len(own):
            raise InputError(f"{self.place}: no train text has a word that the encoder knows")
        scales = own.std(axis=0)
        return fitted | {"mean": own.mean(axis=0), "scale": np.where(scales > 0, scales, 1)}

    def _fit_terms(self, is_train: Bools) -> Fitted:
        from stages.shared.terms import fit_terms, lower

        own, train = self.settings, [text for text, chosen in zip(self.texts, is_train, strict=True) if chosen]
        options = {"min_texts": own.min_texts, "max_terms": own.max_terms, "seed": own.seed}
        return fit_terms(train, dim=own.dim, clean=lower, place=f"{self.place} (text.dim)", **options)[0]

    def _vectors(self, fitted: Fitted) -> tuple[NDArray[np.float64], Bools]:
        """Return a vector of each text, and whether the encoder knows anything of it."""
        if self.settings.encoder == TFIDF:
            from stages.shared.terms import lower, term_embedding

            return term_embedding(fitted, lower)(self.texts).astype(np.float64), np.ones(len(self.texts), bool)
        return self._frozen

    @cached_property
    def _frozen(self) -> tuple[NDArray[np.float64], Bools]:
        """What encoders say that are not fitted."""
        own, key = self.settings, f"modalities.{self.name}.text"
        if own.encoder == WORDS:
            from stages.shared.words import mean_vectors

            found = mean_vectors(self.texts, self.raw.source.folder / str(own.vectors), f"{key}.vectors")
            return found.means.astype(np.float64), found.known > 0
        from stages.shared.pretrained.text import TextEncoder

        return TextEncoder(own.encoder, f"{key}.encoder").means(self.texts), np.ones(len(self.texts), bool)

    def write(self, folder: Path, fitted: Fitted, about: dict[str, Any]) -> None:
        """Write vectors; 0, the mean, for a text of which the encoder knows nothing."""
        vectors, is_known = self._vectors(fitted)
        array = np.zeros((len(self.present), len(fitted["mean"])), np.float32)
        rows = np.flatnonzero(self.present)
        array[rows[is_known]] = (vectors[is_known] - fitted["mean"]) / fitted["scale"]
        note = f"{int((~is_known).sum())} texts without a known word are at the mean"
        described = {"encoder": self.settings.encoder} | ({} if is_known.all() else {"note": note})
        self._write_vectors(folder, array, about | described)


class OfArray(Kind):
    """An NPY array of vectors, or of maps, whose rows are those of the first file."""

    def __init__(self, name: str, raw: Raw, settings: Array) -> None:
        self.array = open_array(raw, settings.file, (2, 4))
        self.path = raw.source.folder / settings.file
        super().__init__(name, raw, raw.source.positions >= 0)

    def _images(self) -> Any:  # noqa: ANN401 (imported where it is used)
        from stages.shared.images.image_features import Images

        shape = self.array.shape[1:]
        return Images(lambda rows: self.array[rows].reshape(len(rows), -1).astype(np.float32), shape, str(self.path))

    def fit(self, is_train: Bools) -> Fitted:
        """Fit means and scales: of each number of a vector; of maps means, and one scale of all."""
        from stages.shared.images.image_features import fit_scale

        rows = self.raw.source.positions[is_train & self.present]
        if self.array.ndim == 4:  # noqa: PLR2004 (maps)
            return fit_scale(self._images(), rows).fitted()
        train = self.array[rows].astype(np.float64)
        refuse_non_finite(self.path, train)
        scales = train.std(axis=0)
        return {"mean": train.mean(axis=0), "scale": np.where(scales > 0, scales, 1)}

    def write(self, folder: Path, fitted: Fitted, about: dict[str, Any]) -> None:
        """Write vectors, or maps."""
        rows = self.raw.source.positions
        if int(np.prod(self.array.shape[1:])) != fitted["mean"].size:
            raise InputError(f"{self.path} has rows of shape {self.array.shape[1:]}, those of train were others")
        if self.array.ndim == 4:  # noqa: PLR2004 (maps)
            from stages.shared.images.image_features import scale_of, write_images

            described = {"kind": "image", "shape": list(self.array.shape[1:])}
            write_images(folder, self.name, self._images(), rows, scale_of(fitted), about | described)
            return
        values = self.array[np.maximum(rows, 0)].astype(np.float64)
        refuse_non_finite(self.path, values[self.present])
        self._write_vectors(folder, ((values - fitted["mean"]) / fitted["scale"]).astype(np.float32), about)


class OfSteps(Kind):
    """Series: steps of each sample, from an array or from a table of measurements."""

    def __init__(self, name: str, raw: Raw, settings: Sequence) -> None:
        self.settings = settings
        self.path = raw.source.folder / settings.file
        self.steps = read_steps(raw, settings)
        super().__init__(name, raw, self.steps.lengths > 0)

    def fit(self, is_train: Bools) -> Fitted:
        """Fit the encoder of a step's columns to all steps of the train samples, and the number of steps."""
        of_train = np.repeat(is_train, self.steps.lengths)
        encoder = ColumnEncoder.fit(self.steps.table, of_train, self.path)
        longest = min(int(self.steps.lengths[is_train].max()), self.settings.max_steps)
        return encoder.fitted() | {"longest": np.array(longest)}

    def write(self, folder: Path, fitted: Fitted, about: dict[str, Any]) -> None:
        """Write sequences of the last steps, as many as the longest sample had when all was fitted."""
        encoder, longest = ColumnEncoder.from_fitted(fitted), int(fitted["longest"])
        values, lengths = encoder.transform(self.steps.table, self.path), self.steps.lengths
        self.unseen = encoder.drift(self.steps.table)
        kept = np.minimum(lengths, longest)
        sample = np.repeat(np.arange(len(lengths)), lengths)
        step = (
            np.arange(len(values)) - np.repeat(lengths.cumsum() - lengths, lengths) - np.repeat(lengths - kept, lengths)
        )
        array = np.zeros((len(lengths), longest, values.shape[1]), np.float32)
        array[sample[step >= 0], step[step >= 0]] = values[step >= 0]
        cut = int((lengths > longest).sum())
        note = {"note": f"{cut} samples have more than {longest} steps, of which the last are kept"} if cut else {}
        write_sequences(folder, self.name, array, kept, self.present, about | {"features": encoder.features} | note)


def kind_of(name: str, settings: Modality, raw: Raw) -> Kind:
    """Return a modality of samples, by its settings."""
    if settings.image:
        return OfImages(name, raw, settings.image)
    if settings.text:
        return OfTexts(name, raw, settings.text)
    if settings.sequence:
        return OfSteps(name, raw, settings.sequence)
    return OfArray(name, raw, settings.array) if settings.array else OfColumns(name, raw)


def kinds_of(raw: Raw) -> dict[str, Kind]:
    """Return every modality of samples, by name."""
    return {name: kind_of(name, own, raw) for name, own in raw.params.modalities.items()}
