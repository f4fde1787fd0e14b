import json
from dataclasses import replace

import pytest

from hwgen.host.manifest import Manifest, Port, parse_range

PORT = Port(
    shape=(28, 28),
    elem="float32",
    int_shape=(784,),
    dtype="u8",
    link_lanes=1,
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
    outputs={"y": replace(PORT, shape=(10,), int_shape=(10,), dtype="-40..41", steps=())},
    cycles_per_frame=100,
    latency_cycles=200,
)


def test_save_and_load(tmp_path):
    MANIFEST.save(tmp_path / "manifest.json")
    assert Manifest.load(tmp_path / "manifest.json") == MANIFEST


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"manifest\.json: a manifest must be JSON: .*$"),
        ("[]", r'manifest\.json: a manifest must have "format": 1; build it again$'),
        ('{"format": 2}', r'manifest\.json: a manifest must have "format": 1; build it again$'),
    ],
)
def test_rejects_files_that_are_not_manifests(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Manifest.load(tmp_path / "manifest.json")


@pytest.mark.parametrize("path", [(), ("inputs", "x")])
def test_rejects_missing_and_unknown_fields(tmp_path, path):
    file = tmp_path / "manifest.json"
    MANIFEST.save(file)
    record = json.loads(file.read_text())
    part = record
    for key in path:
        part = part[key]
    part["colour"] = part.pop("dtype" if path else "board")
    file.write_text(json.dumps(record))
    names = "colour, dtype" if path else "board, colour"
    with pytest.raises(ValueError, match=f"missing or unknown fields of a manifest: {names}$"):
        Manifest.load(file)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dtype", "int8", r"^integer type must be like 'u4', 's8' or '-7\.\.7', not 'int8'$"),
        ("dtype", "3..1", r"^integer type must have its lower end first, not '3\.\.1'$"),
        ("link_lanes", 5, r"^link_lanes must divide the last axis of \(784,\), not 5$"),
    ],
)
def test_rejects_bad_ports(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(PORT, **{field: value})


def test_rejects_a_hash_that_is_not_eight_bytes():
    with pytest.raises(ValueError, match=r"^model_hash must be 16 hexadecimal digits, not 'abc'$"):
        replace(MANIFEST, model_hash="abc")


@pytest.mark.parametrize(
    ("text", "ends"), [("u1", (0, 1)), ("s8", (-128, 127)), ("-7..7", (-7, 7)), ("0..9", (0, 9))]
)
def test_ranges(text, ends):
    assert parse_range(text) == ends
