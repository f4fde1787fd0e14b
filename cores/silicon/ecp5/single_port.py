"""ECP5 has no large memories with one port."""

from cores.silicon.portable import single_port as portable

single_port = portable.single_port
