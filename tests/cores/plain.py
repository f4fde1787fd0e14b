"""The shortest op, as the contract shows it: without any facet."""

from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Any

import numpy as np
from amaranth.hdl import Module

from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType


def shown() -> type[Op]:
    """`Negate` of the docstring of `Op`."""
    assert Op.__doc__ is not None
    names: dict[str, Any] = {
        "__name__": __name__,
        **{kind.__name__: kind for kind in (Core, Op, Timing, Stages, Pipeline)},
        **{kind.__name__: kind for kind in (IntType, StreamType, Module)},
        "dataclass": dataclass,
        "replace": replace,
        "np": np,
    }
    exec(dedent(Op.__doc__.partition("::\n")[2]), names)
    return names["Negate"]


Negate: Any = shown()
