"""The base of the data contract's JSON files: checked by name and type when they are read."""

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError

from i2moe.base.errors import InputError
from i2moe.base.strict import Strict

Names = Annotated[list[str], Field(min_length=1)]


class Description(Strict):
    """Base of the JSON files written next to the data; what is not known is left out."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file.

        Raises:
            InputError: for a file that is missing or not JSON, lacks a key, or has a value of the wrong type.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"{path} is missing: rerun the stage that writes it") from error
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): rerun the stage that writes it") from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            place = f"key {key!r}: {message}" if key else message
            raise InputError(f"{path} breaks the data contract: {place}: rerun the stage that writes it") from error

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps(self.model_dump(exclude_none=True), indent=2, ensure_ascii=False) + "\n"
