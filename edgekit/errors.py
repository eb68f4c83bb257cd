"""Everything edgekit raises on purpose. Imports nothing.

Each error also subclasses the builtin that a caller would catch::

    EdgekitError
    +-- ParameterError      (ValueError)    an option has a value that it cannot take
    +-- ShapeError          (ValueError)    an array's shape does not fit
    +-- DtypeError          (TypeError)     an array's type does not fit
    +-- KernelError         (ValueError)    a kernel, or a file holding one, cannot be used
    +-- MissingExtraError   (ImportError)   a library is missing; the message says what to install
    +-- MeasureError        (RuntimeError)  a measurement failed on the way to the focus; it carries those before
    +-- WorkerError         (RuntimeError)  worker processes cannot be started
    +-- ImageError          (OSError)       an image file could not be read or written
        +-- UnreadableError                 the file is missing, empty, or may not be read
        +-- DecodeError                     the content is not an image, or a damaged one
        |   +-- TooLargeError               it claims more pixels than may be read
        +-- OutputError                     the result could not be written where it should go
"""


class EdgekitError(Exception):
    """The root of all errors that edgekit raises on purpose."""


class ParameterError(EdgekitError, ValueError):
    """An option has a value that it cannot take."""


class ShapeError(EdgekitError, ValueError):
    """An array's shape does not fit."""


class DtypeError(EdgekitError, TypeError):
    """An array's type does not fit."""


class KernelError(EdgekitError, ValueError):
    """A kernel, or a file holding one, cannot be used."""


class MissingExtraError(EdgekitError, ImportError):
    """A library is missing; the message says what to install."""


class MeasureError(EdgekitError, RuntimeError):
    """A measurement failed on the way to the focus.

    Attributes
    ----------
    position : float
        Where it failed.
    measurements : tuple of (float, float)
        Position and score of those before.
    """

    def __init__(self, message: str, position: float, measurements: tuple[tuple[float, float], ...]) -> None:
        super().__init__(message)
        self.position, self.measurements = position, measurements

    def __reduce__(self) -> tuple[object, ...]:
        # An error that comes from another process is made again of these.
        return type(self), (str(self), self.position, self.measurements)


class WorkerError(EdgekitError, RuntimeError):
    """Worker processes cannot be started."""


class ImageError(EdgekitError, OSError):
    """An image file could not be read or written."""


class UnreadableError(ImageError):
    """The file is missing, empty, or may not be read."""


class DecodeError(ImageError):
    """The content is not an image, or a damaged one."""


class TooLargeError(DecodeError):
    """The image claims more pixels than may be read."""


class OutputError(ImageError):
    """The result could not be written where it should go."""


def said(error: Exception, name: str) -> str:
    """Return the message for an error that a file called `name` met; it contains the name."""
    if not isinstance(error, EdgekitError):
        return f"{name}: {type(error).__name__}: {error}"
    return str(error) if name in str(error) else f"{name}: {error}"


def let_out_of_memory(error: Exception) -> None:
    """Raise MemoryError if this is what a library means; what went wrong then is no fault of the file."""
    no_memory_in_opencv = -4
    named = type(error).__module__.partition(".")[0], type(error).__name__
    if (
        isinstance(error, MemoryError)
        or (named == ("cv2", "error") and getattr(error, "code", 0) == no_memory_in_opencv)
        or named == ("torch", "OutOfMemoryError")
        or "DefaultCPUAllocator: can't allocate memory" in str(error)
    ):
        raise MemoryError from error
