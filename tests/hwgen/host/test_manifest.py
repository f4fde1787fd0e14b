import json
from dataclasses import replace

import pytest

from hwgen.host.manifest import Manifest, PatternCheck, Port, parse_range

PORT = Port(
    shape=(28, 28),
    elem="float32",
    int_shape=(784,),
    dtype="u8",
    link_lanes=1,
    lanes=49,
    steps=({"op": "reshape", "args": [-1], "shape": [784]},),
)
MANIFEST = Manifest(
    model="tfc",
    model_hash="00112233445566ff",
    build_id="8899aabbccddeeff",
    board="icebreaker",
    device="up5k",
    clock_mhz=24.0,
    baud=1_000_000,
    inputs={"x": PORT},
    outputs={"y": replace(PORT, shape=(10,), int_shape=(10,), dtype="-40..41", lanes=2, steps=())},
    cycles_per_frame=100,
    latency_cycles=200,
)


@pytest.mark.parametrize(
    "manifest",
    [
        MANIFEST,
        replace(
            MANIFEST,
            streams=("input", "output", "a to b"),
            pattern=PatternCheck(16, 0xFFFFFFFF),
            weights_hash="0011223344556677",
        ),
    ],
)
def test_save_and_load(tmp_path, manifest):
    manifest.save(tmp_path / "manifest.json")
    assert Manifest.load(tmp_path / "manifest.json") == manifest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"manifest\.json: a manifest must be JSON: .*$"),
        ("[]", r'manifest\.json: a manifest must have "format": 2; build it again$'),
        ('{"format": 1}', r'manifest\.json: a manifest must have "format": 2; build it again$'),
    ],
)
def test_rejects_files_that_are_not_manifests(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Manifest.load(tmp_path / "manifest.json")


@pytest.mark.parametrize("path", [(), ("inputs", "x"), ("pattern",)])
def test_rejects_missing_and_unknown_fields(tmp_path, path):
    file = tmp_path / "manifest.json"
    replace(MANIFEST, pattern=PatternCheck(16, 5)).save(file)
    record = json.loads(file.read_text())
    part = record
    for key in path:
        part = part[key]
    missing = {(): "board", ("inputs", "x"): "dtype", ("pattern",): "frames"}[path]
    part["colour"] = part.pop(missing)
    file.write_text(json.dumps(record))
    names = ", ".join(sorted(["colour", missing]))
    with pytest.raises(ValueError, match=f"of a manifest; missing or unknown: {names}$"):
        Manifest.load(file)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dtype", "int8", r"^integer type must be like 'u4', 's8' or '-7\.\.7', not 'int8'$"),
        ("dtype", "3..1", r"^integer type must have its lower end first, not '3\.\.1'$"),
        ("link_lanes", 5, r"^link_lanes must divide the last axis of \(784,\), not 5$"),
        ("lanes", 5, r"^lanes must divide the last axis of \(784,\), not 5$"),
    ],
)
def test_rejects_bad_ports(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(PORT, **{field: value})


@pytest.mark.parametrize("name", ["model_hash", "build_id", "weights_hash"])
def test_rejects_a_hash_that_is_not_eight_bytes(name):
    with pytest.raises(ValueError, match=rf"^{name} must be 16 hexadecimal digits, not 'abc'$"):
        replace(MANIFEST, **{name: "abc"})


@pytest.mark.parametrize(
    ("text", "ends"), [("u1", (0, 1)), ("s8", (-128, 127)), ("-7..7", (-7, 7)), ("0..9", (0, 9))]
)
def test_ranges(text, ends):
    assert parse_range(text) == ends
