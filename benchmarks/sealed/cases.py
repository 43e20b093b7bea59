"""What is drawn, which models are trained on it, and with how many seeds. All but digits and wdbc are synthetic."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from i2moe.model.config import ModelConfig
from i2moe.model.fusion_config import OwnFusionConfig
from stages.datasets.planted.generators import Drawn, composite, copies, hdxor, logical, none, pure, switch, terms
from stages.settings.params import load_params

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEALED, PLAIN, ALONE = "sealed", "i2moe-mult", "synergy alone"
SIZES = {"composite": (6000, 1000, 2000), "switch": (6000, 1000, 2000), "hdxor": (9000, 1000, 2000)}
USUAL = (4000, 1000, 2000)  # samples of train, validation and test
TABLES = ("digits", "wdbc")
COMMON = {"encoder": "mlp", "encoder_dim": 64, "num_patches": 2, "hidden_dim": 32, "dropout": 0.1}
COURSE = {"learning_rate": 2e-3, "batch_size": 64, "epochs": 15, "selection": "accuracy"}
MULT = {"method": "mult", "num_layers": 1, "num_heads": 4}
MIXTURES: dict[str, dict[str, Any]] = {
    SEALED: {"sealed": {"loss_weight": 0.1, "min_gain": 0.01}},
    PLAIN: {
        "interaction": {"loss_weight": 0.5},
        "reweighting": {"hidden_dim": 64, "num_layers": 2, "temperature": 1},
    },
}
OF_THREE = (0, 1, 2, 3, 7, 10)  # of three modalities: uniqueness; synergy of two; redundancy of two and of all
SYNERGY_OF_ALL = 6  # MLP experts and two classes alone: MulT experts learn no exclusive or of three in this course
COPIES = ((1, 1), (1, 0.8), (0.8, 1), (0.9, 0.9))  # probabilities that each modality's copy is right
WORDS = {"uniqueness_first": "u1", "uniqueness_second": "u2", "uniqueness_third": "u3"}


@dataclass(frozen=True)
class Case:
    """One model trained with one seed on data drawn with the same seed."""

    data: str
    rule: tuple[Any, ...]  # places of planted terms in `terms`, or arguments of the generator
    model: str  # sealed | i2moe-mult | synergy alone
    experts: str  # mlp | mult
    seed: int
    num_classes: int = 2
    num_modalities: int = 2

    @property
    def name(self) -> str:
        """The data in short."""
        if self.data in ("pure", "composite", "hdxor"):
            own = [terms(self.num_modalities)[place] for place in self.rule]
            words = [WORDS.get(term.expert, f"{term.role} of {len(term.modalities)}") for term in own]
            return ("HD-XOR " if self.data == "hdxor" else "") + " and ".join(words)
        return " ".join([self.data, *map(str, self.rule)])

    def draw(self) -> Drawn:
        """Draw the data."""
        if self.data in TABLES:
            return draw_table(self.data, self.seed, is_shuffled="shuffled" in self.rule)
        return self._generators()[self.data]()

    def _generators(self) -> dict[str, Callable[[], Drawn]]:
        """Return how each kind of synthetic data is drawn."""
        num, seed, rule = sum(self.sizes), self.seed, self.rule
        own = [terms(self.num_modalities)[place] for place in rule if isinstance(place, int)]
        classes, modalities = self.num_classes, self.num_modalities
        return {
            "pure": lambda: pure(own[0], num, seed, num_classes=classes, num_modalities=modalities),
            "composite": lambda: composite(own, num, seed),
            "hdxor": lambda: hdxor(own[0], num, seed),
            "switch": lambda: switch(num, seed),
            "logical": lambda: logical(rule[0], num, seed),
            "copies": lambda: copies((rule[0], rule[1]), num, seed),
            "none": lambda: none(num, seed),
        }

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Samples of train, validation and test."""
        return TABLE_SIZES[self.data] if self.data in TABLES else SIZES.get(self.data, USUAL)

    def config(self) -> ModelConfig:
        """Return the model's settings: those of params.yaml for open tables, else one course for all data."""
        model = SEALED if self.model == ALONE else self.model
        if self.data in TABLES:
            return load_params().models[self.data][model]
        config = ModelConfig.model_validate(COMMON | COURSE | {"fusion": MULT} | MIXTURES[model])
        if self.experts == "mlp":
            own = OwnFusionConfig(method="benchmarks.sealed.mlp:Mlp", width=64)  # type: ignore[call-arg]
            return config.model_copy(update={"fusion": own})
        return config


TABLE_SIZES = {"digits": (1257, 270, 270), "wdbc": (397, 86, 86)}


def draw_table(name: str, seed: int, *, is_shuffled: bool) -> Drawn:
    """Draw the order of an open table's rows, and shuffle its labels where they are to follow from nothing."""
    from sklearn.datasets import load_breast_cancer, load_digits

    generator = np.random.default_rng([seed, 4])
    table = load_digits() if name == "digits" else load_breast_cancer()
    order = generator.permutation(len(table.target))
    values, labels = table.data[order].astype(np.float32), table.target[order].astype(np.int64)
    parts = 2 if name == "digits" else 3
    inputs: dict[str, NDArray[np.float32]] = {
        f"part{index}": block for index, block in enumerate(np.split(values, parts, axis=1))
    }
    if is_shuffled:
        labels = generator.permutation(labels)
    return Drawn(inputs, labels, int(labels.max()) + 1, {})


def protocol() -> list[Case]:
    """Return every case, those that take longest first, so that processes end together."""
    both, sizes = ("mult", "mlp"), (2, 4)
    models = [(PLAIN, "mult"), (SEALED, "mult"), (SEALED, "mlp")]
    of_all = product([SYNERGY_OF_ALL], ["mlp"], range(3), [2])
    return [
        *(
            Case("pure", (place,), SEALED, experts, seed, classes, 3)
            for place, experts, seed, classes in chain(product(OF_THREE, both, range(3), sizes), of_all)
        ),
        *(Case("pure", (place,), PLAIN, experts, 0, 2, 3) for place, experts in product(OF_THREE, both)),
        *(
            Case("composite", pair, model, experts, 0, 4)
            for pair, (model, experts) in product(combinations(range(4), 2), models)
        ),
        *(Case("switch", (), model, experts, seed) for seed, (model, experts) in product(range(3), models)),
        *(
            Case("pure", (place,), PLAIN, experts, seed, classes)
            for place, experts, seed, classes in product(range(4), both, range(2), sizes)
        ),
        *(
            Case("pure", (place,), SEALED, experts, seed, classes)
            for place, experts, seed, classes in product(range(4), both, range(3), sizes)
        ),
        *(Case("hdxor", (place,), SEALED, "mlp", seed) for place, seed in product(range(4), range(3))),
        *(Case("copies", rule, SEALED, "mlp", seed) for rule, seed in product(COPIES, range(3))),
        *(Case("logical", (rule,), SEALED, "mlp", seed) for rule, seed in product(("and", "or"), range(3))),
        *(Case("pure", (place,), ALONE, "mlp", seed) for place, seed in product(range(4), range(2))),
        *(Case("none", (), SEALED, "mlp", seed) for seed in range(40)),
        *(Case(name, (), model, "mult", seed) for name, model, seed in product(TABLES, (PLAIN, SEALED), range(5))),
        *(Case("wdbc", ("shuffled",), SEALED, "mult", seed) for seed in range(40)),
    ]


def quick() -> list[Case]:
    """Return one case of each role, for a look in less than a minute."""
    return [Case("pure", (place,), SEALED, "mlp", 0) for place in range(4)]
