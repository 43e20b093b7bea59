"""A whole model: one encoder per modality, then a fusion method or an I2MoE over it."""

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor, nn

from i2moe.base.errors import InputError
from i2moe.data import Batch
from i2moe.model.config import ModelConfig
from i2moe.model.encoders.build import build_encoder, count_tokens, encoders_for, is_padded
from i2moe.model.fusion import Fused, Sizes, build_fusion
from i2moe.model.interaction import GlobalWeights, InteractionMoE, Mixture, Prediction, Reweighting, expert_names
from i2moe.model.losses import INTERACTION_LOSSES
from i2moe.model.roles import RoleSupervision
from i2moe.model.sealed import WORDS, SealedMixture
from i2moe.model.tokens import Padded, Tokens, values_of


class MultimodalModel(nn.Module):
    """Encode each modality into tokens, then fuse: a vanilla baseline or an I2MoE, with the same encoders."""

    def __init__(
        self,
        encoders: dict[str, nn.Module],
        fusion: nn.Module,
        absent: dict[str, Tensor] | None = None,
        *,
        is_told: bool = True,
    ) -> None:
        """Build the model.

        Args:
            encoders: by modality, in order; each maps its array [B, …] to tokens [B, P, H], and those of sequences
                take the lengths [B] too.
            fusion: maps the tokens of M modalities to logits [B, C] or to `Fused`, or is a `Mixture`.
            absent: of the modalities that a sample may lack, the token [1, 1, H] that stands for it there, in each of
                its places; it is learned.
            is_told: whether the model knows that a modality is absent; one that does not sees its features at 0, where
                the train mean is.
        """
        super().__init__()
        self.modalities = list(encoders)
        self.encoders = nn.ModuleList(encoders.values())
        self.fusion = fusion
        self.is_told = is_told
        self.absent = nn.ParameterDict({name: nn.Parameter(token) for name, token in (absent or {}).items()})

    @property
    def expert_names(self) -> list[str]:
        """The interaction experts' names, in order; none for a vanilla fusion method."""
        return self.fusion.expert_names if isinstance(self.fusion, Mixture) else []

    def forward(self, batch: Batch) -> Prediction:
        """Predict a batch; in training, experts may learn from its labels, which are standardised for regression."""
        return self.predict(self.tokens(batch), batch.labels, self.presence(batch))

    def tokens(self, batch: Batch) -> list[Tokens]:
        """Return the tokens [B, P, H] of each of the M modalities of a batch; a learned one for what a sample lacks.

        Raises:
            InputError: for a sample without a modality that all samples had in training.
        """
        tokens: list[Tokens] = []
        for name, encoder in zip(self.modalities, self.encoders, strict=True):
            lengths = [batch.lengths[name]] if name in batch.lengths else []
            if name in batch.present and self.is_told:
                tokens.append(self._tokens_of_some(name, encoder, [batch.inputs[name], *lengths], batch.present[name]))
            else:
                tokens.append(encoder(batch.inputs[name], *lengths))
        return tokens

    def presence(self, batch: Batch) -> Tensor | None:
        """Return which samples of a batch have which modality, [B, M]; None where all have all."""
        if not batch.present or not self.is_told:
            return None
        everywhere = torch.ones_like(next(iter(batch.present.values())))
        return torch.stack([batch.present.get(name, everywhere) for name in self.modalities], dim=1)

    def _tokens_of_some(self, name: str, encoder: nn.Module, inputs: list[Tensor], present: Tensor) -> Tokens:
        """Encode the samples that have a modality, `present` [B]; no statistic of an encoder sees the others."""
        if name not in self.absent:
            raise InputError(
                f"{int((~present).sum())} samples lack modality {name!r}, which all samples had in training: train "
                "with samples that lack it, too (`incomplete: keep`), or leave these out"
            )
        rows = present.nonzero().flatten()
        # One row, if only for the tokens' number, where no sample of the batch has the modality.
        encoded: Tokens = encoder(*(one[rows if len(rows) else slice(1)] for one in inputs))
        values = values_of(encoded)
        token = self.absent[name].to(values.dtype).expand(len(present), *values.shape[1:])
        laid: Tensor = token.index_copy(0, rows, values[: len(rows)])
        if not isinstance(encoded, Padded):
            return laid
        padding = torch.ones(laid.shape[:2], dtype=torch.bool, device=laid.device)
        padding[:, 0] = False
        return Padded(laid, padding.index_copy(0, rows, encoded.padding[: len(rows)]))

    def predict(self, tokens: list[Tokens], labels: Tensor | None = None, presence: Tensor | None = None) -> Prediction:
        """Predict from the tokens [B, P, H] of M modalities.

        Args:
            tokens: of each modality, in order.
            labels: for training.
            presence: which samples have which modality, [B, M]; None where all have all.
        """
        if isinstance(self.fusion, Mixture):
            return self.fusion(tokens, labels, presence)  # type: ignore[no-any-return]
        output = self.fusion(tokens)
        return (
            Prediction(output.logits, balance_loss=output.balance_loss)
            if isinstance(output, Fused)
            else Prediction(output)
        )


def build_model(
    config: ModelConfig,
    *,
    kinds: dict[str, str],
    shapes: dict[str, tuple[int, ...]],
    task: str,
    num_outputs: int,
    may_be_absent: Collection[str] = (),
) -> MultimodalModel:
    """Build the model that `config` describes, on PyTorch's current random state.

    Args:
        config: architecture.
        kinds: kind of array by modality, in order.
        shapes: shape of one sample by modality.
        task: binary | multiclass | multilabel | regression.
        num_outputs: C.
        may_be_absent: modalities that some samples lack.
    """
    # They start at 0, so that nothing is drawn for them.
    is_told = config.absent == "token"
    absent = {name: torch.zeros(1, 1, config.hidden_dim) for name in kinds if is_told and name in may_be_absent}
    chosen = encoders_for(kinds, config.encoder)
    encoders = {
        name: build_encoder(
            kind,
            shapes[name],
            encoder=chosen[name],
            encoder_dim=config.encoder_dim,
            num_patches=config.num_patches,
            hidden_dim=config.hidden_dim,
            dropout=config.dropout,
            vector_tokens=config.vector_tokens,
        )
        for name, kind in kinds.items()
    }
    sizes = sizes_of(config, kinds, shapes, num_outputs)
    if config.sealed is not None:
        fusion = build_fusion(config.fusion, replace(sizes, num_outputs=WORDS * num_outputs))
        sealed = SealedMixture(fusion, list(kinds), task, num_outputs, config.sealed, config.class_weights)
        return MultimodalModel(encoders, sealed, absent, is_told=is_told)
    fusion = build_fusion(config.fusion, sizes)
    if config.interaction is None or config.reweighting is None:
        return MultimodalModel(encoders, fusion, absent, is_told=is_told)
    num_experts = len(expert_names(list(kinds), config.interaction.experts))
    reweighting: nn.Module
    if config.reweighting == "global":
        reweighting = GlobalWeights(num_experts)
    else:
        reweighting = Reweighting(
            len(kinds) * config.hidden_dim, num_experts, dropout=config.dropout, **config.reweighting.model_dump()
        )
    is_supervised = config.interaction.objective == "role-supervised"
    losses = RoleSupervision(task) if is_supervised else INTERACTION_LOSSES[task]
    mixture = InteractionMoE(fusion, reweighting, list(kinds), losses, config.interaction)
    return MultimodalModel(encoders, mixture, absent, is_told=is_told)


def sizes_of(config: ModelConfig, kinds: dict[str, str], shapes: dict[str, tuple[int, ...]], num_outputs: int) -> Sizes:
    """Return what the fusion method must know; arguments as in `build_model`."""
    chosen = encoders_for(kinds, config.encoder)
    counts = (
        count_tokens(
            kind,
            shapes[name],
            encoder=chosen[name],
            num_patches=config.num_patches,
            vector_tokens=config.vector_tokens,
        )
        for name, kind in kinds.items()
    )
    return Sizes(
        num_modalities=len(kinds),
        num_patches=config.num_patches,
        hidden_dim=config.hidden_dim,
        num_outputs=num_outputs,
        dropout=config.dropout,
        num_tokens=tuple(counts),
        is_padded=tuple(is_padded(kind, chosen[name]) for name, kind in kinds.items()),
    )
