"""Loads OpenCV, or raises an error that says how to install it. No other module imports cv2."""

from edgekit.common.extras import pip_command
from edgekit.errors import MissingExtraError

try:
    import cv2
except ImportError as error:
    install, message = pip_command("install", "opencv-python"), f"OpenCV cannot be loaded: {error}."
    if "libGL" not in str(error) and "libgthread" not in str(error):
        raise MissingExtraError(f"{message} Try: {install}") from error
    raise MissingExtraError(
        f"{message} This build of OpenCV needs a desktop system. Either install the missing system libraries "
        "(Debian, Ubuntu: apt-get install libgl1 libglib2.0-0), or use the build for servers: "
        f"{pip_command('uninstall', 'opencv-python')} && {install}-headless"
    ) from error

__all__ = ["cv2"]
