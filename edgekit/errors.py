"""The exceptions that edgekit raises on purpose. Imports nothing.

Each one is also a subclass of the builtin exception that a caller would expect::

    EdgekitError
    +-- ParameterError      (ValueError)    an option has an invalid value
    +-- ShapeError          (ValueError)    an array has the wrong shape
    +-- DtypeError          (TypeError)     an array has the wrong type
    +-- KernelError         (ValueError)    a kernel, or a file with a kernel, cannot be used
    +-- MissingExtraError   (ImportError)   a library is missing; the message says what to install
    +-- MeasureError        (RuntimeError)  a measurement failed during autofocus; it holds the earlier ones
    +-- WorkerError         (RuntimeError)  worker processes cannot be started
    +-- ImageError          (OSError)       an image file could not be read or written
        +-- UnreadableError                 the file is missing, empty, or access is denied
        +-- DecodeError                     the content is not an image, or is damaged
        |   +-- TooLargeError               the image has more pixels than the limit allows
        +-- OutputError                     the result could not be written
"""


class EdgekitError(Exception):
    """The base class of all errors that edgekit raises on purpose."""


class ParameterError(EdgekitError, ValueError):
    """An option has an invalid value."""


class ShapeError(EdgekitError, ValueError):
    """An array has the wrong shape."""


class DtypeError(EdgekitError, TypeError):
    """An array has the wrong type."""


class KernelError(EdgekitError, ValueError):
    """A kernel, or a file with a kernel, cannot be used."""


class MissingExtraError(EdgekitError, ImportError):
    """A library is missing; the message says what to install."""


class MeasureError(EdgekitError, RuntimeError):
    """A measurement failed during autofocus.

    Attributes
    ----------
    position : float
        The position of the failed measurement.
    measurements : tuple of (float, float)
        Position and score of each earlier measurement.
    """

    def __init__(self, message: str, position: float, measurements: tuple[tuple[float, float], ...]) -> None:
        super().__init__(message)
        self.position, self.measurements = position, measurements

    def __reduce__(self) -> tuple[object, ...]:
        # By default pickle passes only the message to __init__.
        return type(self), (str(self), self.position, self.measurements)


class WorkerError(EdgekitError, RuntimeError):
    """Worker processes cannot be started."""


class ImageError(EdgekitError, OSError):
    """An image file could not be read or written."""


class UnreadableError(ImageError):
    """The file is missing, empty, or access is denied."""


class DecodeError(ImageError):
    """The content is not an image, or is damaged."""


class TooLargeError(DecodeError):
    """The image has more pixels than the limit allows."""


class OutputError(ImageError):
    """The result could not be written."""


def error_message(error: Exception, name: str) -> str:
    """Return the message to show for an error in the file called `name`. The message contains the name."""
    if not isinstance(error, EdgekitError):
        return f"{name}: {type(error).__name__}: {error}"
    return str(error) if name in str(error) else f"{name}: {error}"


def raise_if_out_of_memory(error: Exception) -> None:
    """Raise MemoryError if a library reports with its own exception that memory ran out: the file is not to blame."""
    opencv_no_memory = -4
    library, exception = type(error).__module__.partition(".")[0], type(error).__name__
    if (
        isinstance(error, MemoryError)
        or ((library, exception) == ("cv2", "error") and getattr(error, "code", 0) == opencv_no_memory)
        or (library, exception) == ("torch", "OutOfMemoryError")
        or "DefaultCPUAllocator: can't allocate memory" in str(error)
    ):
        raise MemoryError from error
