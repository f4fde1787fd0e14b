"""What a user can get wrong, as exceptions: each message names the place, the rule, what came and
what to do."""


class HwgenError(Exception):
    """A problem with the input; the command line prints the message and exits with `status`."""

    status = 2


class ModelError(HwgenError):
    """The model file, or one of its nodes, is not what hwgen can read or map."""


class InputError(HwgenError):
    """Data given with the model (arrays, input type, vectors) does not match it."""


class FoldingError(HwgenError):
    """A folding is illegal, or no folding meets the goal."""


class FitError(HwgenError):
    """The design does not fit the device or does not meet its clock."""


class SetupError(HwgenError):
    """The machine lacks a program; the message says what installs it."""


class ToolError(HwgenError):
    """An external tool is missing or ended with an error."""

    status = 1


class CheckError(HwgenError):
    """Two rungs of the simulation ladder differ, or a simulation stopped."""

    status = 1
