"""Logic cells of iCE40: a LUT and a flip-flop each. LUTs are no memory."""

from cores.silicon.portable import logic as portable

RAM_STYLE = portable.RAM_STYLE
kept_register = portable.kept_register
ram_cells = portable.ram_cells
