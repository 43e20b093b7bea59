"""A whole model: one encoder per modality, then a fusion method or an I2MoE over it."""

from torch import Tensor, nn

from i2moe.data import Batch
from i2moe.model.config import ModelConfig
from i2moe.model.encoders.build import build_encoder
from i2moe.model.fusion import Fused, Sizes, build_fusion
from i2moe.model.interaction import GlobalWeights, InteractionMoE, Prediction, Reweighting, expert_names
from i2moe.model.losses import INTERACTION_LOSSES


class MultimodalModel(nn.Module):
    """Encode each modality into tokens, then fuse: a vanilla baseline or an I2MoE, with the same encoders."""

    def __init__(self, encoders: dict[str, nn.Module], fusion: nn.Module) -> None:
        """Build the model.

        Args:
            encoders: by modality, in order; each maps its array [B, …] to tokens [B, P, H], and those of sequences
                take the lengths [B] too.
            fusion: maps the M token tensors to logits [B, C] or to `Fused`, or is an `InteractionMoE`.
        """
        super().__init__()
        self.modalities = list(encoders)
        self.encoders = nn.ModuleList(encoders.values())
        self.fusion = fusion

    @property
    def expert_names(self) -> list[str]:
        """The interaction experts' names, in order; none for a vanilla fusion method."""
        return self.fusion.expert_names if isinstance(self.fusion, InteractionMoE) else []

    def forward(self, batch: Batch) -> Prediction:
        """Predict a batch."""
        return self.predict(self.tokens(batch))

    def tokens(self, batch: Batch) -> list[Tensor]:
        """Return the M token tensors [B, P, H] of a batch."""
        tokens = []
        for name, encoder in zip(self.modalities, self.encoders, strict=True):
            lengths = [batch.lengths[name]] if name in batch.lengths else []
            tokens.append(encoder(batch.inputs[name], *lengths))
        return tokens

    def predict(self, tokens: list[Tensor]) -> Prediction:
        """Predict from M token tensors [B, P, H]."""
        output = self.fusion(tokens)
        if isinstance(output, Fused):
            return Prediction(output.logits, balance_loss=output.balance_loss)
        return output if isinstance(output, Prediction) else Prediction(output)


def build_model(
    config: ModelConfig, *, kinds: dict[str, str], shapes: dict[str, tuple[int, ...]], task: str, num_outputs: int
) -> MultimodalModel:
    """Build the model that `config` describes, on PyTorch's current random state.

    Args:
        config: architecture.
        kinds: kind of array by modality, in order.
        shapes: shape of one sample by modality.
        task: binary | multiclass | multilabel | regression.
        num_outputs: C.
    """
    encoders = {
        name: build_encoder(
            kind,
            shapes[name],
            encoder=config.encoder,
            encoder_dim=config.encoder_dim,
            num_patches=config.num_patches,
            hidden_dim=config.hidden_dim,
            dropout=config.dropout,
        )
        for name, kind in kinds.items()
    }
    sizes = Sizes(len(kinds), config.num_patches, config.hidden_dim, num_outputs, config.dropout)
    fusion = build_fusion(config.fusion, sizes)
    if config.interaction is None or config.reweighting is None:
        return MultimodalModel(encoders, fusion)
    num_experts = len(expert_names(list(kinds), config.interaction.experts))
    reweighting: nn.Module
    if config.reweighting == "global":
        reweighting = GlobalWeights(num_experts)
    else:
        reweighting = Reweighting(
            len(kinds) * config.hidden_dim, num_experts, dropout=config.dropout, **config.reweighting.model_dump()
        )
    mixture = InteractionMoE(fusion, reweighting, list(kinds), INTERACTION_LOSSES[task], config.interaction)
    return MultimodalModel(encoders, mixture)
