"""Settings that are checked when they are read: every key, type and value, with the nearest valid name in the error."""

import difflib
import reprlib
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Few = Annotated[int, Field(gt=0, le=1000)]  # layers, heads, experts: to build millions would never end
Width = Annotated[int, Field(gt=0, le=2**16)]  # numbers that a layer holds for one token
PositiveNumber = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
T = TypeVar("T")
Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, lt=1)]
FileStem = Annotated[str, Field(pattern=r"^[^/\\\x00]+$")]  # a name after which files are named


_shortener = reprlib.Repr()
_shortener.maxlevel = 3
_shortener.maxdict = _shortener.maxlist = _shortener.maxtuple = 10
_shortener.maxstring = _shortener.maxlong = _shortener.maxother = 200


def shorten(value: object) -> str:
    """Return a value as Python writes it, cut short: a file may hold what has no end.

    Examples:
        >>> shorten({"a": [1, 2]}), shorten([[[[1]]]])
        ("{'a': [1, 2]}", '[[[[...]]]]')
    """
    return _shortener.repr(value)


def nearest(name: object, valid: Iterable[str]) -> str:
    """Return a hint that lists the valid names and points at the nearest one to a wrong name.

    Examples:
        >>> nearest("mutl", ["late", "mult"])
        "allowed: late, mult; did you mean 'mult'?"
    """
    names = list(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
    return f"allowed: {', '.join(names)}" + (f"; did you mean {close[0]!r}?" if close else "")


def nearest_column(name: str, header: Iterable[object]) -> str:
    """Return a hint for a column that a file lacks, without its other names: it may have no header, but a row of data.

    Examples:
        >>> nearest_column("aeg", ["sample", "age"])
        "it has 2 others; did you mean 'age'?"
        >>> nearest_column("sample", ["anna", "63"])
        'it has 2 others: is its first row the header?'
    """
    names = [str(own) for own in header]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]!r}?" if close else ": is its first row the header?"
    return f"it has {len(names)} others{hint}"


def same_columns(header: list[str]) -> str | None:
    """Return which two columns have the same name, by their place; None where each has its own.

    Examples:
        >>> same_columns(["sample", "age", "age"])
        'columns 2 and 3 have the same name'
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(header, start=1):
        if name.strip() and name in seen:
            return f"columns {seen[name]} and {place} have the same name"
        seen[name] = place
    return None


def once_each(values: list[T]) -> list[T]:
    """Return a list unchanged if no value is in it twice."""
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"names {twice!r} twice; allowed: each name once")
    return values


OnceEach = AfterValidator(once_each)


def in_order(all_names: tuple[str, ...]) -> AfterValidator:
    """Return the check of a list of names: that they are some of `all_names` in the same order."""

    def check(names: list[str]) -> list[str]:
        if names != [name for name in all_names if name in names]:
            raise ValueError(f"{names}; allowed: {', '.join(all_names)} in this order, or fewer of them")
        return names

    return AfterValidator(check)


class Strict(BaseModel):
    """Base of all settings: frozen, no conversion of types, and an unknown key is an error with a suggestion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: Any) -> Any:  # noqa: ANN401 (the file may hold anything)
        if isinstance(values, dict) and cls.model_config["extra"] == "forbid":
            unknown = [key for key in values if key not in cls.model_fields]
            if unknown:
                problems = [
                    f"{shorten(key)} (value {shorten(values[key])}): {nearest(key, cls.model_fields)}"
                    for key in unknown
                ]
                raise ValueError("unknown key " + "; unknown key ".join(problems))
        return values
