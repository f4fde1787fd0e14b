"""SB_RAM40_4K, as yosys makes it of a memory: it has no output register, and one port to read."""

from cores.silicon.portable import block_ram as portable

rom = portable.rom
shared_rom = portable.shared_rom
dual_port = portable.dual_port
