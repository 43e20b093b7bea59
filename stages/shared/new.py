"""What preparing new samples returns: who they are, and what of them train never had."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NewSamples:
    """New samples whose arrays were written as those of train were, in order of their ids."""

    sample_ids: list[str]
    removed: dict[str, int] = field(default_factory=dict)  # how many of the raw files cannot be predicted, and why
    unseen: dict[str, float] = field(default_factory=dict)  # by column, the share of values that train never had
