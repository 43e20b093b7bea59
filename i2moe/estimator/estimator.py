"""`I2MoEClassifier` and `I2MoERegressor`: the training of the library behind scikit-learn's conventions."""

import numbers
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from i2moe.base.errors import InputError
from i2moe.contract.task import Task
from i2moe.data import FeatureSet, SampleSet
from i2moe.estimator.cohort import chosen_validation, draw_validation, write_cohort
from i2moe.estimator.explanation import Explanation, explain
from i2moe.estimator.files import pack, unpack
from i2moe.estimator.inputs import Inputs, Modalities, Preparation, categorical_columns, ids_of, read_inputs
from i2moe.estimator.isolation import undisturbed
from i2moe.estimator.labels import checked_labels, class_weights, require_all_classes
from i2moe.estimator.settings import check_types, model_config
from i2moe.inference import choose_device, mean_tokens
from i2moe.trained import TrainedModel, probabilities

TWO_AXES = 2
LEAST_SAMPLES = 2
MOST_LABEL = 1e15  # of float32, in which losses are computed, the largest square is 3e38


class I2MoEEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What classifier and regressor share; see `I2MoEClassifier`."""

    def __init__(
        self,
        fusion: Any = "mult",
        *,
        modalities: Modalities | None = None,
        interaction_loss_weight: float | None = 0.1,
        encoder: str = "mlp",
        encoder_dim: int = 64,
        num_patches: int = 4,
        hidden_dim: int = 32,
        gate_dim: int = 64,
        temperature: float = 1.0,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
        learning_rate: float = 1e-3,
        batch_size: int = 32,
        epochs: int = 30,
        selection: str | None = None,
        class_weight: Any = None,
        validation_fraction: float = 0.15,
        categorical: Sequence[str] = (),
        random_state: Any = None,
        accelerator: str = "auto",
        verbose: bool = False,
        callbacks: Sequence[Any] | None = None,
    ) -> None:
        self.fusion = fusion
        self.modalities = modalities
        self.interaction_loss_weight = interaction_loss_weight
        self.encoder = encoder
        self.encoder_dim = encoder_dim
        self.num_patches = num_patches
        self.hidden_dim = hidden_dim
        self.gate_dim = gate_dim
        self.temperature = temperature
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.selection = selection
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.categorical = categorical
        self.random_state = random_state
        self.accelerator = accelerator
        self.verbose = verbose
        self.callbacks = callbacks

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        groups: Any = None,
        validation: Any = None,
    ) -> Self:
        """Train, and keep the epoch that is best on the validation rows.

        Args:
            X: a dict of modality to array [N, F], data frame, list of sequences [T, F] or features of images
                [N, C, h, w]; or one array [N, F] or frame, see `modalities`. What is missing is imputed; a modality of
                which a sample has nothing (all NaN, a sequence of None) is absent.
            y: labels [N]; 0 and 1 [N, C] for a multilabel task; numbers [N].
            groups: [N], such as patients: each is wholly in train or in validation.
            validation: which rows are the validation split, as a mask [N] or their numbers; by default a share of
                `validation_fraction`, stratified by class.

        Raises:
            InputError: (a ValueError) for data or parameters that cannot be used.
        """
        check_types(self.get_params(deep=False))
        choose_device(self.accelerator)  # refuses what is no accelerator of this machine
        inputs = self._read(X, reset=True)
        task, labels = self._read_labels(y, inputs.num_samples)
        random = check_random_state(self.random_state)
        seed = self.random_state if isinstance(self.random_state, numbers.Integral) else int(random.randint(2**31 - 1))
        if inputs.num_samples < LEAST_SAMPLES:
            raise InputError(f"n_samples={inputs.num_samples}: training and validation need one sample each at least")
        if validation is not None and groups is not None:
            raise InputError("fit takes `groups`, from which validation rows are drawn, or `validation`, not both")
        if validation is None:
            is_validation = draw_validation(task, labels, groups, self.validation_fraction, int(seed))
        else:
            is_validation = chosen_validation(validation, inputs.num_samples)
        if task != "regression":
            require_all_classes(labels, self._class_names(), is_validation)
        self.preparation_ = Preparation.fit(inputs, ~is_validation, categorical_columns(self.categorical, inputs))
        config = model_config(
            self.get_params(deep=False),
            list(self.preparation_.kinds.values()),
            self._class_weights(task, labels[~is_validation]),
        )
        with tempfile.TemporaryDirectory(prefix="i2moe-") as name:
            folder = Path(name)
            self.preparation_.write(inputs, folder)
            cohort = folder / "labels" / "cohort.csv"  # in a folder of its own: a modality may have its name
            cohort.parent.mkdir()
            write_cohort(cohort, task, self._class_names(), list(inputs.given), labels, is_validation)
            features = FeatureSet(folder, cohort, ("train", "validation"))
            self._train(features, config, int(seed), folder)
        return self

    def _train(self, features: FeatureSet, config: Any, seed: int, folder: Path) -> None:
        from i2moe.checkpoints import curves_of, save
        from i2moe.inference import load
        from i2moe.training import Hardware, fit

        with undisturbed():
            best = fit(
                features,
                config,
                seed,
                folder=folder / "training",
                hardware=Hardware(accelerator=self.accelerator),
                callbacks=list(self.callbacks or ()),
                progress=bool(self.verbose),
            )
        self.curves_ = pd.DataFrame(curves_of(best.with_name("last.ckpt")))
        save(best, folder / "weights.ckpt")
        device = choose_device(self.accelerator)
        model = load(features, config, folder / "weights.ckpt", device)
        means = mean_tokens(model, features)
        self.trained_ = TrainedModel(features.signature, config, {seed: model}, {seed: means})

    def explain(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> Explanation:
        """Explain what is predicted for samples.

        Args:
            X: as in `fit`.
            y: their labels, for what experts know alone and how they behave.
            sample_ids: [N]; by default the index of a frame, else 0, 1, ….

        Raises:
            InputError: for samples that do not fit those of train.
        """
        check_is_fitted(self, "trained_")
        inputs = self._read(X, reset=False)
        ids = ids_of(X, inputs.num_samples) if sample_ids is None else list(sample_ids)
        if len(ids) != inputs.num_samples:
            raise InputError(f"sample_ids: {len(ids)} for {inputs.num_samples} samples: give one for each")
        labels = None if y is None else self._encode_labels(y, inputs.num_samples)
        with tempfile.TemporaryDirectory(prefix="i2moe-") as folder:
            samples = self._samples(inputs, Path(folder))
            return explain(self.trained_, samples, ids, labels)

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator into one file, without pickle: settings, what was fitted, weights."""
        check_is_fitted(self, "trained_")
        Path(path).write_bytes(pack(self))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            InputError: for a file that is missing, broken, or of another kind of estimator.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror})") from error
        estimator = cls()
        unpack(estimator, content, str(path))
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling: the bytes that `save` writes, once fitted."""
        if "trained_" not in self.__dict__:
            return dict(super().__getstate__())
        return {"saved": pack(self)} | {name: getattr(self, name) for name in ("fusion", "callbacks", "random_state")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up a pickled state."""
        if "saved" not in state:
            super().__setstate__(state)
            return
        self.__init__()  # type: ignore[misc]
        unpack(self, state["saved"], "the pickled estimator")
        for name in ("fusion", "callbacks", "random_state"):
            setattr(self, name, state[name])

    def __sklearn_tags__(self) -> Any:
        """Say what scikit-learn may give: missing values and text, too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.non_deterministic = False
        return tags

    def _read(self, X: Any, *, reset: bool) -> Inputs:
        """Return what is given by modality; of one array or frame scikit-learn checks names and number of columns."""
        if isinstance(X, Mapping) and not issparse(X):  # one of SciPy's is a dict
            return read_inputs(X, self.modalities)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
        return read_inputs(X, self.modalities)

    def _samples(self, inputs: Inputs, folder: Path) -> SampleSet:
        """Write new samples into a folder, and open them."""
        self.preparation_.write(inputs, folder)
        return SampleSet(folder, list(self.preparation_.kinds), [str(row) for row in range(inputs.num_samples)])

    def _logits(self, X: Any) -> NDArray[np.float64]:
        """Return the logits of all seeds, [S, N, C]."""
        check_is_fitted(self, "trained_")
        inputs = self._read(X, reset=False)
        with tempfile.TemporaryDirectory(prefix="i2moe-") as folder:
            return self.trained_.predict(self._samples(inputs, Path(folder))).logits

    def _class_weights(self, task: Task, labels: NDArray[Any]) -> list[float] | None:  # noqa: ARG002
        """Return the weight of each class, in order."""
        return None

    def _class_names(self) -> list[str]:
        """Return the names of the classes, in order."""
        return []

    @abstractmethod
    def _read_labels(self, y: Any, num_samples: int) -> tuple[Task, NDArray[Any]]:
        """Return the task, and the labels of train as the data contract has them: [N] or [N, C]."""

    @abstractmethod
    def _encode_labels(self, y: Any, num_samples: int) -> NDArray[Any]:
        """Return labels of the same kind as those of train, [N] or [N, C]."""


class I2MoEClassifier(ClassifierMixin, I2MoEEstimator):  # type: ignore[misc]
    """A mixture of interaction experts over a fusion method, for classes or, by a 2-D y, for several labels.

    Args:
        fusion: a name (mult, early, late, lrmf, interpretcc, switchgate, moepp, dense, gshard), a module of your own as
            a class or `module:Class`, or a dict with `method` and its settings.
        modalities: of an X that is one array or frame: the columns of each modality, by name or number. Without it the
            first half of the columns is a modality, and the second another.
        interaction_loss_weight: λ, of the experts' interaction losses; None trains the fusion method alone, as does a
            single modality.
        encoder: mlp, maxout, patch or token of columns; lstm or gru of sequences.
        encoder_dim: width of the encoders.
        num_patches: tokens of a modality.
        hidden_dim: width of a token.
        gate_dim: width of the MLP that weights the experts.
        temperature: of the weights' softmax.
        dropout: in encoders, fusion and gate.
        modality_dropout: weight of the loss on views without a modality.
        learning_rate: of Adam.
        batch_size: samples.
        epochs: passes over the train rows.
        selection: validation metric of the best epoch, or loss; None: accuracy, micro_f1 of labels, mae of numbers.
        class_weight: None, balanced, or a dict of class to weight.
        validation_fraction: share of the validation rows, where `fit` is not told which they are.
        categorical: columns of categories, whatever they hold.
        random_state: a number for the same model each time.
        accelerator: auto, cpu, gpu, cuda or mps.
        verbose: whether to show a bar.
        callbacks: of Lightning's.

    Attributes:
        classes_: in the order of the probabilities; of a multilabel task the labels' names.
        trained_: the model (`i2moe.trained.TrainedModel`).
        curves_: losses and validation metrics by epoch.
        preparation_: what was fitted to the train rows.
    """

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each sample [N]; of a multilabel task 0 and 1 [N, C]."""
        shares = self.predict_proba(X)
        if self.trained_.signature.task == "multilabel":
            return (shares > 0.5).astype(np.int64)  # noqa: PLR2004
        return np.asarray(self.classes_[shares.argmax(axis=1)])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, or of each label [N, C]; the mean over seeds, if there are several."""
        logits = self._logits(X)
        return np.asarray(probabilities(self.trained_.signature.task, logits).mean(axis=0))

    def _class_names(self) -> list[str]:
        return [str(name) for name in self.classes_]

    def _read_labels(self, y: Any, num_samples: int) -> tuple[Task, NDArray[Any]]:
        names = [str(name) for name in y.columns] if isinstance(y, pd.DataFrame) else None
        if names and len(set(names)) < len(names):
            raise InputError(f"y has several columns {max(names, key=names.count)!r}: rename one")
        given = checked_labels(self, y, num_samples)
        check_classification_targets(given)
        if given.ndim == TWO_AXES and given.shape[1] > 1:
            if not np.isin(given, (0, 1)).all():
                raise InputError("a 2-D y is one of labels: 0 and 1 alone are allowed")
            self.classes_ = np.array(names or [f"label_{index}" for index in range(given.shape[1])])
            return "multilabel", given.astype(np.int64)
        flat = column_or_1d(given, warn=True)
        self.classes_, labels = np.unique(flat, return_inverse=True)
        if len(self.classes_) < 2:  # noqa: PLR2004
            raise InputError(f"y has one class, {self.classes_.tolist()[0]!r}: classification needs two or more")
        return ("binary" if len(self.classes_) == 2 else "multiclass"), labels.astype(np.int64)  # noqa: PLR2004

    def _encode_labels(self, y: Any, num_samples: int) -> NDArray[Any]:
        given = checked_labels(self, y, num_samples)
        if self.trained_.signature.task == "multilabel":
            return given.astype(np.int64)
        flat = column_or_1d(given)
        places = pd.Index(self.classes_).get_indexer(flat)
        if (places < 0).any():
            raise InputError(f"y has classes that train lacks; allowed: {self.classes_.tolist()[:20]}")
        return np.asarray(places, np.int64)

    def _class_weights(self, task: Task, labels: NDArray[Any]) -> list[float] | None:
        return class_weights(self.class_weight, task, self.classes_.tolist(), labels)

    def __sklearn_tags__(self) -> Any:
        """Say that several labels are taken, too."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class I2MoERegressor(RegressorMixin, I2MoEEstimator):  # type: ignore[misc]
    """The same for numbers [N]; parameters and attributes as those of `I2MoEClassifier`, without classes."""

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the predicted number of each sample [N]; the mean over seeds, where there are several."""
        return np.asarray(self._logits(X).mean(axis=0)[:, 0])

    def _read_labels(self, y: Any, num_samples: int) -> tuple[Task, NDArray[Any]]:
        if self.class_weight is not None:
            raise InputError("class_weight has no meaning for numbers; allowed: None")
        labels = column_or_1d(checked_labels(self, y, num_samples), warn=True).astype(np.float64)
        if np.abs(labels).max() > MOST_LABEL:
            raise InputError(f"y holds numbers beyond {MOST_LABEL:g}, whose squares are infinite: take a larger unit")
        return "regression", labels

    def _encode_labels(self, y: Any, num_samples: int) -> NDArray[Any]:
        return np.asarray(column_or_1d(checked_labels(self, y, num_samples)), np.float64)


def open_run(folder: str | Path, accelerator: str = "auto") -> I2MoEClassifier | I2MoERegressor:
    """Open a model that the pipeline trained, all seeds, as a fitted estimator.

    It takes arrays as the features stages wrote them, by modality, since what was fitted to raw files is with the
    dataset: `python -m stages.predict` takes raw files.

    Args:
        folder: such as results/models/wdbc/i2moe-mult.
        accelerator: auto, cpu, gpu, cuda or mps.

    Raises:
        InputError: for a folder that holds no trained model.
    """
    trained = TrainedModel.open(Path(folder), accelerator)
    estimator = I2MoERegressor() if trained.signature.task == "regression" else I2MoEClassifier()
    estimator.trained_, estimator.preparation_ = trained, Preparation.of_arrays(trained.signature)
    if isinstance(estimator, I2MoEClassifier):
        estimator.classes_ = np.array(trained.signature.classes)
    return estimator
