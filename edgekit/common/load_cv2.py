"""OpenCV, or an error that says how to get it. The only module that imports cv2."""

from edgekit.common.extras import pip
from edgekit.errors import MissingExtraError

try:
    import cv2
except ImportError as error:
    if "libGL" in str(error) or "libgthread" in str(error):
        raise MissingExtraError(
            f"OpenCV cannot load on this machine: {error}. It was built for a desktop. Either install the "
            "system library (Debian, Ubuntu: apt-get install libgl1 libglib2.0-0), or use the build for "
            f"servers: {pip('uninstall', 'opencv-python')} && {pip('install', 'opencv-python-headless')}"
        ) from error
    raise MissingExtraError(f"OpenCV cannot be loaded: {error}. Try: {pip('install', 'opencv-python')}") from error

__all__ = ["cv2"]
