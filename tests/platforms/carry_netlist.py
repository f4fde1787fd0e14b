"""Netlists of carry cells and LUTs as yosys writes them, and what they compute."""

from itertools import product

ADD = f"{0x96AA:016b}"
"""A + B if C is 0, A - B if C is 1 and B is inverted, as yosys maps adders."""


def cell(number, a, b, *, carry_in, c="0", tables=(ADD, ADD)):
    """Two bits of an adder; nets of cell n are n0, n1, ... beyond 100."""
    base = 100 * (number + 1)
    inputs = {"A0": a[0], "A1": a[1], "B0": b[0], "B1": b[1], "C0": c, "C1": c, "D0": "1"}
    connections = {pin: [bit] for pin, bit in inputs.items()}
    connections |= {"D1": ["1"], "CIN": [carry_in], "COUT": [base], "S0": [base + 1]}
    connections["S1"] = [base + 2]
    outputs = ("S0", "S1", "COUT")
    return {
        "type": "CCU2C",
        "parameters": {
            "INIT0": tables[0],
            "INIT1": tables[1],
            "INJECT1_0": "NO",
            "INJECT1_1": "NO",
        },
        "port_directions": {pin: "output" if pin in outputs else "input" for pin in connections},
        "connections": connections,
    }


def lut(function, nets, *, result):
    """`function` of so many nets; the other inputs are 0."""
    padded = [*nets, *"0" * (4 - len(nets))]
    levels = (each[::-1][: len(nets)] for each in product((0, 1), repeat=4))
    table = sum(int(function(*each)) << place for place, each in enumerate(levels))
    connections = {pin: [net] for pin, net in zip("ABCD", padded, strict=True)} | {"Z": [result]}
    return {
        "type": "LUT4",
        "parameters": {"INIT": f"{table:016b}"},
        "port_directions": {pin: "output" if pin == "Z" else "input" for pin in connections},
        "connections": connections,
    }


def module(cells, outputs):
    return {
        "cells": {f"cell{k}": each for k, each in enumerate(cells)},
        "ports": {
            "i": {"direction": "input", "bits": list(range(2, 20))},
            "o": {"direction": "output", "bits": outputs},
        },
    }


def evaluate(design, values, unknown):
    """Outputs for levels of nets 2, 3, ...; what is open is 1, and a carry that is open `unknown`.

    The cell as yosys' simulation model describes it.
    """
    nets = {"0": 0, "1": 1, **dict(enumerate(values, 2))}
    pending = list(design["cells"].values())
    while pending:
        waiting = list(pending)
        for each in waiting:
            pins = each["connections"]
            if each["type"] == "LUT4":
                if {pins[pin][0] for pin in "ABCD"} <= nets.keys():
                    place = sum(nets[pins[pin][0]] << k for k, pin in enumerate("ABCD"))
                    nets[pins["Z"][0]] = int(each["parameters"]["INIT"], 2) >> place & 1
                    pending.remove(each)
                continue
            inputs = [pins[p + k][0] for p in "ABCD" for k in "01"]
            carry = pins["CIN"][0]
            if not {*inputs} <= nets.keys() or (carry != "x" and carry not in nets):
                continue
            level = unknown if carry == "x" else nets[carry]
            for k in "01":
                a, b, c, d = (nets[pins[p + k][0]] for p in "ABCD")
                table = int(each["parameters"][f"INIT{k}"], 2)
                passes = table >> (a + 2 * b + 4 * c + 8 * d) & 1
                nets[pins[f"S{k}"][0]] = passes ^ level
                level = level if passes else table >> (a + 2 * b) & 1
            if pins["COUT"] != ["x"]:
                nets[pins["COUT"][0]] = level
            pending.remove(each)
        assert len(pending) < len(waiting), "inputs without a driver"
    return [nets[bit] for bit in design["ports"]["o"]["bits"]]


def assert_same(design, tidied, nets=range(18)):
    for levels in product((0, 1), repeat=len(nets)):
        values = [0] * 18
        for net, level in zip(nets, levels, strict=True):
            values[net] = level
        expected = evaluate(design, values, 0)
        assert evaluate(tidied, values, 0) == evaluate(tidied, values, 1) == expected
