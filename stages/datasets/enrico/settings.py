"""The settings under data.enrico and synthetic.enrico: every choice that turns ENRICO's files into samples."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from i2moe.base.strict import OnceEach, Positive, Strict, in_order
from i2moe.contract.task import Licence, Task

Modality = Literal["screenshot", "wireframe"]
AugmentationName = Literal["horizontal_flip", "crop", "colour"]


VGG = "vgg"  # an encoder; any other name is a Hugging Face model's


class ImageSettings(Strict):
    """Screens as VGG-11's convolution features, or as a Hugging Face vision model's."""

    encoder: str  # vgg | a local folder of a Hugging Face vision model, or its OWNER/NAME at the hub
    weights: str  # of encoder vgg: none | a name of torchvision's | a local file
    seed: Annotated[int, Field(ge=0)]  # of weights `none`, and of augmentation
    height: Annotated[int, Field(ge=32)]  # pixels that the network sees
    width: Annotated[int, Field(ge=32)]
    augment: Annotated[list[AugmentationName], OnceEach]
    copies: Annotated[int, Field(ge=0)]  # augmented copies of each train sample
    batch_size: Positive  # images

    @model_validator(mode="after")
    def _copies_are_augmented(self) -> Self:
        if bool(self.augment) != bool(self.copies):
            raise ValueError(
                f"augment {self.augment} with copies {self.copies}; allowed: names of augmentations with 1 copy or "
                "more, or neither"
            )
        return self


class Settings(Strict):
    """ENRICO."""

    licence: ClassVar[Licence] = "open"
    task: ClassVar[Task] = "multiclass"

    raw: str
    modalities: Annotated[list[Modality], Field(min_length=1), in_order(get_args(Modality))]
    split: Literal["shares", "official"]
    incomplete: Literal["drop", "keep"] = "drop"  # screens that lack an image: an error | stay, with one at least
    exclude: list[int]  # screen ids
    issues: Literal["keep", "drop_high", "drop"]  # screens of issues.csv
    image: ImageSettings


class SyntheticSettings(Strict):
    """The synthetic ENRICO."""

    screens: Annotated[int, Field(ge=60)]  # with fewer, a topic could not be in every split
    seed: Annotated[int, Field(ge=0)]
