"""What is drawn, which models are trained on it, and with how many seeds."""

from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product
from typing import Any

from i2moe.model.config import ModelConfig
from stages.datasets.planted.generators import EVEN, Drawn, Term, composite, hdxor, none, pure, switch, terms
from stages.settings.params import load_params


@dataclass(frozen=True)
class Sizes:
    """Samples of each split."""

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """How many there are in all."""
        return self.train + self.validation + self.test


SIZES = {
    "pure": Sizes(4000, 1000, 2000),
    "composite": Sizes(6000, 1000, 2000),
    "switch": Sizes(6000, 1000, 2000),
    "hdxor": Sizes(9000, 1000, 2000),
    "none": Sizes(4000, 1000, 2000),
}
EPOCHS = {"pure": 8, "composite": 12, "switch": 12, "hdxor": 6, "none": 8}
SHARED = {"learning_rate": 2e-3, "batch_size": 64, "selection": "accuracy"}
MIXES = (EVEN, (0.4, 0.2, 0.2, 0.2))
MLP_WIDTH = 64
MODALITY_DROPOUT = 1.0


@dataclass(frozen=True)
class Case:
    """One model, trained with one seed on data drawn with the same seed."""

    data: str  # pure | composite | switch | hdxor | none
    planted: tuple[Term, ...]
    model: str  # of params.yaml, `+` what is changed: mlp experts, modality dropout
    seed: int
    num_classes: int = 2
    mix: tuple[float, ...] = field(default=EVEN)

    @property
    def key(self) -> dict[str, Any]:
        """What tells the case from others, as columns of a table."""
        planted = " and ".join(" ".join([term.role, *term.modalities]) for term in self.planted) or "nothing"
        mix = "" if self.data != "switch" else " ".join(f"{share:g}" for share in self.mix)
        return {
            "data": self.data,
            "planted": planted if self.data != "switch" else f"switch {mix}",
            "classes": self.num_classes,
            "model": self.model,
            "seed": self.seed,
        }

    @property
    def kind(self) -> str:
        """Whose size and length of training it has: four classes have more combinations of bits to learn than two."""
        return "composite" if self.num_classes > 2 else self.data  # noqa: PLR2004

    def draw(self) -> Drawn:
        """Draw the data."""
        num = SIZES[self.kind].total
        match self.data:
            case "pure":
                (term,) = self.planted
                return pure(term, num, self.seed, num_classes=self.num_classes)
            case "composite":
                return composite(self.planted, num, self.seed)
            case "switch":
                return switch(num, self.seed, mix=self.mix)
            case "hdxor":
                return hdxor(self.planted[0], num, self.seed)
            case _:
                return none(num, self.seed)

    def config(self) -> ModelConfig:
        """Return the model's settings: those of params.yaml for these tables, with a shared course of training."""
        name, *changes = self.model.split("+")
        update: dict[str, Any] = SHARED | {"epochs": EPOCHS[self.kind]}
        if "mlp" in changes:
            update["fusion"] = {"method": "benchmarks.planted.mlp:Mlp", "width": MLP_WIDTH}
        if "dropout" in changes:
            update["modality_dropout"] = MODALITY_DROPOUT
        return ModelConfig.model_validate(load_params().models["planted-synergy"][name].model_dump() | update)


PLAIN, ROLES, SEALED = "i2moe-mult", "i2moe-mult-roles", "sealed"
EVERY = (PLAIN, f"{PLAIN}+mlp", ROLES, f"{ROLES}+mlp", SEALED)


def protocol() -> list[Case]:
    """Return every case, those that take longest first, so that processes end together."""
    pairs = combinations_with_replacement(terms(), 2)
    local = (PLAIN, f"{PLAIN}+dropout")
    unseen = range(2, 4)  # MODALITY_DROPOUT was chosen on seeds 0 and 1
    return [
        *(Case("switch", tuple(terms()), model, seed, mix=mix) for model, seed, mix in product(local, unseen, MIXES)),
        *(Case("composite", parts, model, 0, 4) for parts, model in product(pairs, (PLAIN, SEALED))),
        *(Case("hdxor", (term,), PLAIN, seed) for term, seed in product(terms(), range(3))),
        *(
            Case("pure", (term,), model, seed, classes)
            for classes, model, term, seed in product((4, 2), EVERY, terms(), range(3))
        ),
        *(Case("none", (), model, seed) for model, seed in product((PLAIN, ROLES), range(3))),
    ]


def quick() -> list[Case]:
    """Return one case of each role, for a look in less than a minute."""
    return [Case("pure", (term,), f"{PLAIN}+mlp", 0) for term in terms()]
