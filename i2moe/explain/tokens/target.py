"""What a token is asked about: the outputs that the whole model predicts from all tokens of a sample.

Of classes that is the likeliest one; of the labels of a multilabel task all that are predicted, or the likeliest where
none is; of a regression its one number.

Shapes: … any axes, C outputs.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional

Scale = Literal["logit", "log-probability", "probability"]


def targets_of(task: str, logits: Tensor) -> Tensor:
    """Return the share of each output in what is asked about, [..., C]; shares of a sample sum to 1.

    Args:
        task: binary | multiclass | multilabel | regression.
        logits: of the whole model, from all tokens, [..., C].

    Examples:
        >>> import torch
        >>> targets_of("multilabel", torch.tensor([[2.0, 1.0, -1.0], [-3.0, -2.0, -4.0]])).tolist()
        [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]
    """
    likeliest = functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).bool()
    chosen = likeliest
    if task == "multilabel":
        positive = logits > 0
        chosen = positive | (likeliest & ~positive.any(dim=-1, keepdim=True))
    return chosen / chosen.sum(dim=-1, keepdim=True)


def value_of(task: str, logits: Tensor, targets: Tensor, scale: Scale) -> Tensor:
    """Return what logits [..., C] say of the targets [..., C], [...].

    A regression has no probabilities: its value is the number itself, whatever the scale.

    Examples:
        >>> import torch
        >>> logits = torch.tensor([0.75, 0.25]).log()
        >>> value_of("binary", logits, torch.tensor([1.0, 0.0]), "probability").round(decimals=4).item()
        0.75
    """
    if scale != "logit" and task != "regression":
        logits = functional.logsigmoid(logits) if task == "multilabel" else logits.log_softmax(dim=-1)
        logits = logits.exp() if scale == "probability" else logits
    return (logits * targets).sum(dim=-1)
