"""Every device by name."""

from platforms.device import Device
from platforms.ecp5 import device as ecp5
from platforms.ice40 import device as ice40

DEVICES = {device.name: device for device in (*ice40.DEVICES, *ecp5.DEVICES)}


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
