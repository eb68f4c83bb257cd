"""Loads the libraries of the extras when a format needs them. May import `common` and what is below it."""

import importlib
from types import ModuleType

from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError


def load_library(module: str, package: str, extra: str, needed_by: str) -> ModuleType:
    """Return a library that an extra installs.

    Parameters
    ----------
    module : str
        The name by which it is imported.
    package : str
        The name by which it is installed.
    extra : str
        The extra of edgekit that installs it.
    needed_by : str
        The name of the file and its format, for the message.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{needed_by} needs {package}: {install_command(extra)}") from error


def hide_messages(library: str) -> None:
    """Hide the log messages of a library about damaged files, unless the user has set up logging for it."""
    # Imported here, as it takes milliseconds of every start.
    import logging

    logger = logging.getLogger(library)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
