"""The types of option values: how they are parsed, and what shells complete.

May import `report` and what is below it.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from edgekit.common.choices import did_you_mean
from edgekit.common.read_options import BACKGROUNDS

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
    ChoiceType = click.Choice[str]
else:  # Before click 8.4 these classes are not generic.
    ParamType, ChoiceType = click.ParamType, click.Choice


class Number(click.FloatRange):
    """A number within a range. NaN is not a number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if math.isnan(number := super().convert(value, param, ctx)):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Text(ParamType):
    """Free text. Shells complete the known words; the command itself checks the value."""

    name = "text"

    def __init__(self, words: Iterable[str]) -> None:
        self.words = words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class PathOrUrl(ParamType):
    """A path or a URL. Shells complete the names of folders (``dir``), or also of files (``file``)."""

    name = "path"

    def __init__(self, kind: str = "file") -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # An empty path would be the current folder.
        if not value:
            self.fail("the name is empty; is a shell variable not set?", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self._kind)]


class Choice(ChoiceType):
    """One of several words. The error message suggests a similar one, or the one that has this other name."""

    def __init__(self, choices: Sequence[str], other_names: Mapping[str, str] | None = None) -> None:
        super().__init__(choices)
        self._other_names = other_names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(error.message + did_you_mean(value, self.choices, self._other_names), param, ctx)


class Stencil(Text):
    """4, 8 or isotropic."""

    def __init__(self) -> None:
        super().__init__(("4", "8", "isotropic"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return int(value) if str(value).isdigit() else value


class Region(ParamType):
    """x,y,width,height in pixels."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        parts = str(value).split(",")
        if len(parts) != 4 or not all(p.strip().isdigit() for p in parts):
            self.fail(f"{value!r} is not x,y,width,height in pixels.", param, ctx)
        return tuple(map(int, parts))


class Selection(ParamType):
    """AXIS=VALUE, several of them separated by commas."""

    name = "selection"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [tuple(part.strip() for part in pair.partition("=")[::2]) for pair in value.split(",")]
        if not all(len(axis) == 1 and chosen for axis, chosen in pairs):
            self.fail(f"{value!r} is not AXIS=VALUE, such as c=DAPI,t=2.", param, ctx)
        return tuple((axis.lower(), chosen) for axis, chosen in pairs)


class ByteCount(ParamType):
    """A number of bytes; K, M, G and T are powers of 1024."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is not a size such as 500M or 8G.", param, ctx)
        return int(float(found[1]) * 1024 ** (" KMGT".index(found[2].upper()) if found[2] else 0))


class Duration(ParamType):
    """A time such as 2s, 500ms or 1min; a number by itself is seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|)", str(value))
        if not found:
            self.fail(f"{value!r} is not a time such as 2s or 500ms.", param, ctx)
        return float(found[1]) * {"ms": 1e-3, "min": 60.0}.get(found[2], 1.0)


class NumberOrWord(Text):
    """A number, or one of a few words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.words:
            return value
        number = _number(value)
        if math.isnan(number):
            known = " or ".join(("a number", *self.words))
            self.fail(f"{value!r} is not {known}.{did_you_mean(value, self.words)}", param, ctx)
        return number


class SpacingType(ParamType):
    """The distance of neighbouring pixels: a number, two numbers, or auto."""

    name = "spacing"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, float) or value == "auto":
            return value
        numbers = [_number(part) for part in str(value).split(",")]
        if len(numbers) > 2 or any(map(math.isnan, numbers)):
            self.fail(f"{value!r} is neither a number, nor two numbers DY,DX, nor auto.", param, ctx)
        return numbers[0] if len(numbers) == 1 else tuple(numbers)


class Background(ParamType):
    """The background of transparent images: a name, or a colour #rrggbb."""

    name = "colour"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in BACKGROUNDS and not re.fullmatch("#[0-9a-fA-F]{6}", str(value)):
            self.fail(f"{value!r} is none of {', '.join(BACKGROUNDS)}, nor a colour such as #8080ff.", param, ctx)
        return value


class NumberOrPercent(ParamType):
    """A number, or a percentage such as 95%."""

    name = "number or percentage"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = _number(str(value).removesuffix("%"))
        if math.isnan(number):
            self.fail(f"{value!r} is neither a number nor a percentage such as 95%.", param, ctx)
        return value if str(value).endswith("%") else number


def _number(text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
