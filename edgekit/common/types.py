"""Types of public functions. Imports torch for type checkers only."""

from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    #: A function returns the kind of array that it receives.
    ImageT = TypeVar("ImageT", NDArray[Any], Tensor)
else:
    ImageT = TypeVar("ImageT")

#: The position of the channel axis, None for no channels, or "auto" for the usual position.
ChannelAxis = int | Literal["auto"] | None
