"""What the page says in sentences: each function returns those that the numbers bear out, else none."""

from typing import Any

import pandas as pd

from i2moe.explain.ability import AT_CHANCE
from i2moe.explain.behaviour import IDLE, UNCLEAR_ROLE
from i2moe.metrics import arrow, lead_metric
from i2moe.model.config import ModelConfig

TWO = 2  # modalities that Less-Forward replaces


def find(explained: dict[str, pd.DataFrame | None], task: str) -> list[str]:
    """Say in sentences what a model's experts show, each with its caveat; nothing of a model without experts.

    Args:
        explained: the tables of its explanations, by method.
        task: binary | multiclass | multilabel | regression.
    """
    tables = [explained[name] for name in ("experts", "expert_seeds", "gate", "agreement")]
    experts, seeds, gate, agreement = (pd.DataFrame() if table is None else table for table in tables)
    of_model = [
        *leader_findings(_rows(explained, "leaders")),
        *additive_findings(_rows(explained, "additive"), lead_metric(task)),
    ]
    parts = explained["parts"]
    if parts is not None:
        return [*part_findings(parts), *of_model]
    if experts.empty:
        return of_model
    row = gate.to_dict("records")[0]
    return [
        *weight_findings(row),
        *presence_findings(experts.to_dict("records")),
        *gate_findings(row, lead_metric(task)),
        *spread_findings(seeds, len(experts)),
        *at_chance_findings(experts, seeds),
        *unclear_findings(experts),
        *agreement_findings(agreement, task),
        *behaviour_findings(_rows(explained, "behaviour")),
        *replaced_findings(_rows(explained, "weights_replaced"), lead_metric(task)),
        *label_free_findings(_rows(explained, "role_loss")),
        *of_model,
    ]


def _rows(explained: dict[str, pd.DataFrame | None], name: str) -> list[dict[str, Any]]:
    table = explained.get(name)
    rows: list[dict[str, Any]] = [] if table is None else table.to_dict("records")
    return rows


READINGS = {  # that need no names of experts
    "lattice mean": "Left with only some of its modalities (the others at their mean tokens)",
    "partial information": "Of what the encoders hand on, by partial information",
    "parts": "Of what its parts save of the loss",
}


def leader_findings(leaders: list[dict[str, Any]]) -> list[str]:
    """Name the term with the largest share, for each reading that needs no names of experts and shows one."""
    return [
        f"{READINGS[row['reading']]}, {row['winner']} has the largest share in all {row['num_seeds']} seeds: "
        f"{row['share']:.2f}, {row['lead']:.2f} [{row['lead_low']:.2f}, {row['lead_high']:.2f}] before "
        f"{row['runner_up']}."
        for row in leaders
        if row["reading"] in READINGS and row["winner"]
    ]


def additive_findings(additive: list[dict[str, Any]], metric: str) -> list[str]:
    """Say that the model needs its modalities together, where in every seed its gap to additive ones is shown."""
    sign = -1 if arrow(metric) == "↓" else 1
    if not additive or not all(min(sign * row["low"], sign * row["high"]) > 0 for row in additive):
        return []
    gaps = ", ".join(f"{row['gap']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" for row in additive)
    return [
        (
            f"The model needs its modalities together: in every seed it scores better in {metric} than its projection "
            f"onto sums of functions of one modality each, by {gaps}."
        )
    ]


def behaviour_findings(behaviour: list[dict[str, Any]]) -> list[str]:
    """Say of each expert that gains anything alone in how many seeds it behaves as named, and as what else."""
    if not behaviour:
        return []
    roles = pd.DataFrame(behaviour).drop_duplicates(["expert", "seed"])
    found = []
    for expert, own in roles.groupby("expert", sort=False):
        counts = own["role"].value_counts(sort=False)
        if set(counts.index) == {IDLE}:
            continue
        others = ", ".join(f"{_as_role(role)} in {count}" for role, count in counts.items() if role != expert)
        as_named = f"{expert} alone behaves as named in {counts.get(expert, 0)} of {len(own)} seeds"
        found.append(f"{as_named}{f'; {others}' if others else ''} (from its own value on subsets of modalities).")
    return found


def _as_role(role: object) -> str:
    return {IDLE: "idle", UNCLEAR_ROLE: "of unclear role"}.get(str(role), f"as {role}")


def replaced_findings(replaced: list[dict[str, Any]], metric: str) -> list[str]:
    """Say what shuffled weights and the single best expert reach, and whether the learned weights are better."""
    sign = -1 if arrow(metric) == "↓" else 1
    words = {
        "shuffled": "each sample's weights given to another one",
        "best single": "the one expert best on validation",
    }
    found = []
    for weights, what in words.items():
        rows = [row for row in replaced if row["weights"] == weights]
        if not rows:
            continue
        low, high = sorted(sign * rows[0][end] for end in ("loss_low", "loss_high"))
        better = "the learned weights are better"
        verdict = better if low > 0 else "the learned weights are worse" if high < 0 else "no difference shown"
        score = sum(row["score"] for row in rows) / len(rows)
        interval = f"[{rows[0]['loss_low']:+.3f}, {rows[0]['loss_high']:+.3f}]"
        found.append(
            f"With {what}, {metric} is {score:.3f}: {verdict} (learned less this {rows[0]['loss']:+.3f} {interval})."
        )
    return found


def label_free_findings(role_loss: list[dict[str, Any]]) -> list[str]:
    """Warn of experts whose role loss is met without the labels."""
    experts = list(dict.fromkeys(row["expert"] for row in role_loss))
    found = []
    for expert in experts:
        own = [row for row in role_loss if row["expert"] == expert]
        free = sum(row["is_label_free"] for row in own)
        if free:
            found.append(
                f"The role loss of {expert} is next to its least value in {free} of {len(own)} seeds while its logits "
                "hardly vary over samples: it tells replaced modalities from intact ones, and nothing of the label."
            )
    return found


def part_findings(parts: pd.DataFrame) -> list[str]:
    """Say which experts of a sealed mixture stay in how many seeds, and what their gains are.

    Args:
        parts: a row per seed and expert, with columns is_kept and gain.
    """
    found = []
    for expert, rows in parts.groupby("expert", sort=False):
        stays, num_seeds = int(rows["is_kept"].sum()), len(rows)
        if stays:
            gain = rows["gain"][rows["is_kept"]].mean()
            found.append(f"{expert} stays in {stays} of {num_seeds} seeds, and has {gain:.3f} of the loss saved there.")
        else:
            found.append(f"{expert} is dropped in all {num_seeds} seeds: on the validation split it gains nothing.")
    return [
        *found,
        (
            "These experts cannot know what their name forbids, and add up. What each saves of the loss is additive "
            "attribution of this model's prediction, not the partial information of the data."
        ),
    ]


def agreement_findings(agreement: pd.DataFrame, task: str) -> list[str]:
    """Say how often all experts predict the same, and how often the model is right where they do and do not."""
    same = {"multilabel": "the same set of labels", "regression": "the same side of the train labels' mean"}
    found = []
    for row in agreement.to_dict("records"):
        agree, disagree = (row[f"{kind}_correct"] + row[f"{kind}_wrong"] for kind in ("agree", "disagree"))
        what = {
            "sample": same.get(task, "the same class"),
            "label": "the same of a label (mean over labels)",
            "tolerance": f"numbers at most {row['tolerance']:g} apart",
        }[row["by"]]
        kind = f"within {row['tolerance']:g} of the label" if row["by"] == "tolerance" else "right"
        right = [f"{100 * row['agree_correct'] / agree:.0f} % where they do"] if agree else []
        right += [f"{100 * row['disagree_correct'] / disagree:.0f} % where they do not"] if disagree else []
        found.append(
            f"All experts predict {what} in {100 * agree:.0f} % of cases; the model is {kind} in {', '.join(right)}."
        )
    return found


def no_vanilla_findings(model: str, config: ModelConfig, vanilla: dict[str, str]) -> list[str]:
    """Say of an I2MoE that no model of the run is its fusion method alone, so that it was compared with none.

    Args:
        model: its name.
        config: its settings.
        vanilla: by I2MoE, the model that is its fusion alone, where one runs.
    """
    if config.interaction is None or model in vanilla:
        return []
    return [
        (
            f"No model of this run is the fusion method of {model} alone, with the same fusion settings: what its "
            "interaction experts add to that method is not measured."
        )
    ]


def less_forward_findings(config: ModelConfig, num_modalities: int) -> list[str]:
    """Say of Less-Forward, which replaces two modalities a sample, that with two it is the full model."""
    if config.interaction is None or config.interaction.views != "two" or num_modalities > TWO:
        return []
    return ["Less-Forward replaces two modalities of each sample; with two modalities it is the full model."]


def has_signal(constant: dict[str, Any]) -> bool:
    """Return whether a model is shown to be better than the best constant prediction.

    Args:
        constant: the row of the differences that compares the model with that prediction.
    """
    return bool((-constant["high"] if arrow(constant["metric"]) == "↓" else constant["low"]) > 0)


def no_signal_findings(constant: dict[str, Any]) -> list[str]:
    """Say of a model that is not shown to be better than the best constant prediction that it is not.

    Args:
        constant: the row of the differences that compares the model with that prediction.
    """
    if has_signal(constant):
        return []
    metric, difference = constant["metric"], constant["difference"]
    gain = -difference if arrow(metric) == "↓" else difference
    words = "is not shown to be better than" if gain > 0 else "is at or below"
    return [
        (
            f"{constant['model']} {words} the best constant prediction ({metric} {difference:+.3f} "
            f"[{constant['low']:+.3f}, {constant['high']:+.3f}]): nothing can be read from it."
        )
    ]


def weight_findings(gate: dict[str, Any]) -> list[str]:
    """Name the expert with the largest weight where it is shown to be that, else say that none is."""
    interval = f"{gate['lead']:.2f} [{gate['lead_low']:.2f}, {gate['lead_high']:.2f}]"
    if gate["winner"]:
        return [
            (
                f"{gate['winner']} has the largest mean weight in all {gate['num_seeds']} seeds, by {interval} before "
                f"{gate['runner_up']}."
            )
        ]
    return [
        (
            f"No expert is shown to have the largest weight: {gate['heaviest']} has it in {gate['seeds_won']} of "
            f"{gate['num_seeds']} seeds, and leads {gate['runner_up']} by {interval} over all seeds."
        )
    ]


def presence_findings(experts: list[dict[str, Any]]) -> list[str]:
    """Say what a uniqueness expert's mean weight is over the samples that have its modality, where some lack it."""
    own = [row for row in experts if 0 < row.get("num_present", 0) < row["num_samples"]]
    if not own:
        return []
    means = ", ".join(f"{row['expert']} {row['mean_weight_present']:.2f} (n = {row['num_present']})" for row in own)
    return [
        (
            f"Mean weights are over all {own[0]['num_samples']} samples, of which some lack a modality. Over those "
            f"that have the expert's own: {means}."
        )
    ]


def gate_findings(gate: dict[str, Any], metric: str) -> list[str]:
    """Say where the weights ignore the sample or no expert has the largest, and whether equal ones do as well."""
    scores = f"{metric} {gate['score']:.3f}, with equal weights {gate['uniform_score']:.3f}"
    interval = f"difference {gate['uniform_difference']:.3f} [{gate['uniform_low']:.3f}, {gate['uniform_high']:.3f}]"
    is_shown = gate["uniform_low"] > 0 or gate["uniform_high"] < 0
    verdict = f"{scores} ({interval}{'' if is_shown else ', no difference shown'})."
    if gate["ignores_samples"]:
        return [
            (
                f"The gate ignores the sample: within a seed no weight varies by more than {gate['most_std']:.3f} "
                f"(standard deviation). The model reaches {verdict}"
            )
        ]
    return [] if gate["winner"] and is_shown else [f"With its own weights the model reaches {verdict}"]


def spread_findings(seeds: pd.DataFrame, num_experts: int) -> list[str]:
    """Warn where an expert's mean weight differs between seeds by more than an equal share."""
    by_expert = seeds.groupby("expert")["mean_weight"]
    spread = float((by_expert.max() - by_expert.min()).max())
    if spread <= 1 / num_experts:
        return []
    return [
        (
            f"A mean weight differs by up to {spread:.2f} between seeds, more than an equal share: do not read the "
            "weights of one seed."
        )
    ]


def at_chance_findings(experts: pd.DataFrame, seeds: pd.DataFrame) -> list[str]:
    """Name the experts that are at chance alone, with the weight they get where they are."""
    weights = seeds[seeds["outcome"] == AT_CHANCE].groupby("expert")["mean_weight"].mean()
    return [
        f"{row['expert']} alone is at chance in {row['chance_seeds']} of {row['num_seeds']} seeds ({row['ranking']} "
        f"{row['rank_score']:.3f} over all seeds): its weight there, {weights[row['expert']]:.2f}, explains nothing."
        for row in experts.to_dict("records")
        if row["chance_seeds"]
    ]


def unclear_findings(experts: pd.DataFrame) -> list[str]:
    """Name the experts of which the samples are too few to say whether they know something."""
    return [
        f"Whether {row['expert']} alone knows something cannot be told in {row['unclear_seeds']} of {row['num_seeds']} "
        f"seeds (n = {row['num_samples']}{_in_groups(row)}; {row['ranking']} {row['rank_score']:.3f} over all seeds)."
        for row in experts.to_dict("records")
        if row["unclear_seeds"]
    ]


def _in_groups(row: dict[str, Any]) -> str:
    """Say of how many groups the samples are, where there are fewer: of few groups little can be told."""
    return f" in {row['num_units']} groups" if row["num_units"] < row["num_samples"] else ""
