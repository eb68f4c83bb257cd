"""What the metadata of an OME-TIFF file say about its images. May import `errors`."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


class OmeImage(NamedTuple):
    """An image of several planes.

    Attributes
    ----------
    channels : tuple of str
        The names of the channels; empty texts where there is none.
    step : str or None
        The distance of two planes, PhysicalSizeZ.
    unit : str
        Its unit.
    positions : dict
        PositionZ of the planes that state it, by the numbers of the depth, the channel and the time.
    unit_of_positions : str
        Their unit; empty if it is that of an unknown frame of reference.
    """

    channels: tuple[str, ...]
    step: str | None
    unit: str
    positions: dict[tuple[int, int, int], float]
    unit_of_positions: str


def ome_images(description: str) -> list[OmeImage]:
    """Return the images of the metadata; none if they are damaged.

    Parameters
    ----------
    description : str
        The metadata as XML.
    """
    from xml.etree import ElementTree

    try:
        return [_image(e) for e in ElementTree.fromstring(description).iter() if e.tag.endswith("Pixels")]
    except (ElementTree.ParseError, ValueError):
        return []


def _image(pixels: "Element") -> OmeImage:
    planes = [e for e in pixels if e.tag.endswith("Plane") and "PositionZ" in e.attrib]
    units = {e.get("PositionZUnit", "reference frame") for e in planes}
    unit = units.pop() if len(units) == 1 else "reference frame"
    return OmeImage(
        tuple(e.get("Name", "") for e in pixels if e.tag.endswith("Channel")),
        pixels.get("PhysicalSizeZ"),
        # Micrometres are the default of OME.
        pixels.get("PhysicalSizeZUnit", "µm"),
        {(_int(e, "TheZ"), _int(e, "TheC"), _int(e, "TheT")): float(e.attrib["PositionZ"]) for e in planes},
        "" if unit == "reference frame" else unit,
    )


def _int(plane: "Element", name: str) -> int:
    return int(plane.get(name, 0))
