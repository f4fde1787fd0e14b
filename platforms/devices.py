"""Every device by name."""

from platforms.device import Device
from platforms.families import FAMILIES

DEVICES = {each.name: each for family in FAMILIES.values() for each in family.device.DEVICES}


def device(name: str) -> Device:
    """The device of that name, in its usual package.

    Raises
    ------
    ValueError
        No such device; the message lists the names.
    """
    if name not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {name!r}")
    return DEVICES[name]
