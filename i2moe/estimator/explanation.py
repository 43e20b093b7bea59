"""What an estimator's model says of samples, and why: data frames by sample, a figure, a page.

Shapes: S seeds, N samples, E experts, C outputs, K = 2^M subsets of modalities.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.data import SampleSet
from i2moe.explain.ability import RANKINGS, abilities
from i2moe.explain.behaviour import behaviours
from i2moe.explain.coalitions import coalition_names, subset_predictions
from i2moe.explain.value import constant_values, sample_values
from i2moe.inference import EVALUATION_BATCH
from i2moe.model.interaction import Prediction, expert_names
from i2moe.resampling import units_of
from i2moe.trained import TrainedModel, probabilities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

LETTER, BAR = 0.085, 0.25  # inches of a figure that a letter of a name, and a bar, need


@dataclass(frozen=True)
class Explanation:
    """Why a model predicts what it does; every frame has the samples' ids as its index, or as a column."""

    predictions: pd.DataFrame  # [N, C]: probability of each class or label, or the number; mean over seeds
    weights: pd.DataFrame | None  # [N, E]: each expert's weight; None of a model without weighted experts
    experts: pd.DataFrame | None  # rows of sample_id, expert and what it predicts alone, a column per output
    subsets: pd.DataFrame  # rows of sample_id, the modalities left intact, and what is predicted, a column per output
    alone: pd.DataFrame | None  # with labels: what each expert knows alone, a row per expert and seed
    roles: pd.DataFrame | None  # with labels: how each expert behaves, a row per expert and seed

    def plot(self, sample: object) -> "Figure":
        """Draw one sample: each expert's weight and what it predicts alone, and the prediction from each subset.

        Raises:
            InputError: for a sample that is not among those explained, or an id that several of them have.
        """
        count = int((self.predictions.index == sample).sum())
        if not count:
            raise InputError(f"sample {sample!r} is not explained; there are {len(self.predictions)} others")
        if count > 1:
            raise InputError(f"{count} samples have the id {sample!r}: give each its own to `explain`, as `sample_ids`")
        shares = self.predictions.loc[sample]
        output = str(shares.idxmax())
        panels = {f"{output}, from the modalities": self._of(self.subsets, sample).set_index("intact")[output]}
        if self.weights is not None and self.experts is not None:
            own = self._of(self.experts, sample).set_index("expert")[output]
            own.index = [f"{name} ({self.weights.loc[sample, name]:.2f})" for name in own.index]
            panels = {f"{output}, by each expert alone (weight)": own} | panels
        return _figure(f"sample {sample}: {output} {shares[output]:.2f}", panels)

    def _of(self, table: pd.DataFrame, sample: object) -> pd.DataFrame:
        return table[table["sample_id"] == sample]

    def to_html(self, path: str | Path) -> None:
        """Write a page that holds all there is to see at once: mean weights, roles, scores and mean predictions."""
        parts = [
            f"<p>Samples: {len(self.predictions)}</p>",
            "<h2>Predictions</h2>",
            _table(self.predictions.describe()),
        ]
        if self.weights is not None:
            parts += ["<h2>Weights of the experts</h2>", _svg(self.weights), _table(self.weights.describe())]
        outputs = list(self.predictions.columns)
        means = self.subsets.groupby("intact", sort=False)[outputs].mean()
        parts += ["<h2>Mean prediction by the modalities that are left intact</h2>", _table(means)]
        for title, table in (("What each expert knows alone", self.alone), ("How each expert behaves", self.roles)):
            if table is not None:
                parts += [f"<h2>{title}</h2>", _table(table)]
        Path(path).write_text(PAGE.format(body="\n".join(parts)), encoding="utf-8")


def explain(trained: TrainedModel, samples: SampleSet, ids: list[Any], labels: NDArray[Any] | None) -> Explanation:
    """Explain samples.

    Args:
        trained: the model.
        samples: the N samples.
        ids: theirs.
        labels: [N] class indices or numbers, [N, C] of 0 and 1; for what needs them.
    """
    signature = trained.signature
    names, terms = trained.expert_names, expert_names(signature.modalities)
    by_seed = [
        subset_predictions(model, samples.batches(EVALUATION_BATCH), trained.means[seed])
        for seed, model in trained.models.items()
    ]
    whole = np.stack([[_joined(own, "logits") for own in found] for found in by_seed])  # [S, K, N, C]
    whole = whole * signature.label_std + signature.label_mean
    outputs = signature.classes or ["value"]
    taken = [name for name in outputs if name in ("sample_id", "intact", "expert")]
    if taken:
        raise InputError(f"class {taken[0]!r} has the name of a column of the explanation: rename the class, and train")
    predictions = pd.DataFrame(
        _shown(signature.task, whole[:, -1]), index=pd.Index(ids, name="sample_id"), columns=outputs
    )
    subsets = _long(_shown(signature.task, whole), ids, outputs, "intact", coalition_names(signature.modalities))
    if not names or by_seed[0][0][0].weights is None:
        return Explanation(predictions, None, None, subsets, None, None)
    weights = np.stack([_joined(found[-1], "weights") for found in by_seed])
    logits = np.stack([[_joined(own, "expert_logits") for own in found] for found in by_seed])  # [S, K, N, E, C]
    logits = logits * signature.label_std + signature.label_mean
    experts = _long(_shown(signature.task, np.moveaxis(logits[:, -1], 2, 1)), ids, outputs, "expert", names)
    return Explanation(
        predictions,
        pd.DataFrame(weights.mean(axis=0), index=pd.Index(ids, name="sample_id"), columns=names),
        experts,
        subsets,
        None if labels is None else _alone(trained, labels, logits[:, -1]),
        None if labels is None else _roles(trained, labels, logits, terms),
    )


def _joined(parts: list[Prediction], name: str) -> Floats:
    values: Floats = torch.cat([getattr(part, name) for part in parts]).double().cpu().numpy()
    return values


def _shown(task: str, logits: Floats) -> Floats:
    """Return probabilities, or numbers, averaged over seeds: [..., C] of logits [S, ..., C]."""
    values = logits if task == "regression" else probabilities(task, logits)
    return np.asarray(values.mean(axis=0))


def _long(values: Floats, ids: list[Any], outputs: list[str], key: str, names: list[str]) -> pd.DataFrame:
    """Lay values [n, N, C] out as rows of sample_id and name, a column per output."""
    tables = [pd.DataFrame(own, columns=outputs) for own in values]
    for name, table in zip(names, tables, strict=True):
        table.insert(0, "sample_id", ids)
        table.insert(1, key, name)
    return pd.concat(tables, ignore_index=True)


def _alone(trained: TrainedModel, labels: NDArray[Any], logits: Floats) -> pd.DataFrame:
    """Return what each expert knows alone, by expert and seed; logits [S, N, E, C]."""
    task = trained.signature.task
    found = abilities(task, labels, logits, units_of(task, labels))
    metric = RANKINGS[task].name
    return pd.DataFrame(
        {"expert": name, "seed": seed, metric: own.value, "p_value": own.p_value, "outcome": own.outcome}
        for name, of_seeds in zip(trained.expert_names, found, strict=True)
        for seed, own in zip(trained.models, of_seeds, strict=True)
    )


def _roles(trained: TrainedModel, labels: NDArray[Any], logits: Floats, terms: list[str]) -> pd.DataFrame:
    """Return the role that each expert plays, by expert and seed; logits [S, K, N, E, C]."""
    signature = trained.signature
    # Of the train labels only mean and deviation count: two numbers have both.
    train = np.array([signature.label_mean - signature.label_std, signature.label_mean + signature.label_std])
    values = np.moveaxis(sample_values(signature.task, labels, np.moveaxis(logits, 3, 0), train), 0, -1)
    constant = constant_values(signature.task, labels, train)
    found = behaviours(trained.expert_names, terms, values, constant, units_of(signature.task, labels))
    return pd.DataFrame(
        {"expert": own.expert, "seed": seed, "behaves_as": own.roles[row], "gain": own.gain[row]}
        | dict(zip(terms, own.shares.share[row], strict=True))
        for own in found
        for row, seed in enumerate(trained.models)
    )


def _figure(title: str, panels: "dict[str, pd.Series[Any]]") -> "Figure":
    """Draw bars with a panel for each title, as large as their names need; a dollar sign in one is no mathematics."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    width = sum(3 + LETTER * max(len(str(own)) for own in values.index) for values in panels.values())
    height = 1.2 + BAR * max(len(values) for values in panels.values())
    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(width, max(3.2, height)), layout="constrained")
        for axes, (name, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            axes.barh(range(len(values)), values.to_numpy(float), color="#4477aa")
            axes.set_yticks(range(len(values)), [str(own) for own in values.index])
            axes.invert_yaxis()
            axes.set_title(name, fontsize=10)
        figure.suptitle(title)
    return figure


def _svg(weights: pd.DataFrame) -> str:
    """Draw the spread of each expert's weight over samples; a dollar sign in a name is no mathematics."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    stream = io.StringIO()
    width = 5.5 + LETTER * max(len(name) for name in weights.columns)
    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(width, 0.5 + 0.4 * weights.shape[1]), layout="constrained")
        axes = figure.subplots()
        axes.boxplot(weights.to_numpy(), orientation="horizontal", tick_labels=list(weights.columns))
        axes.invert_yaxis()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()[stream.getvalue().index("<svg") :]


def _table(table: pd.DataFrame) -> str:
    """Return a table whose names and values are shown as they are: pandas escapes both, once."""
    return str(table.to_html(float_format="{:.3f}".format, border=0, na_rep="–"))


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Explanation</title>
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;display:block;overflow-x:auto}}td,th{{padding:.2rem .6rem;text-align:right}}
svg{{max-width:100%;height:auto}}</style>
<main><h1>Explanation</h1>
{body}
</main></html>
"""
