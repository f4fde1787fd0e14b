"""The `hwgen` command: one subcommand per verb, those of `hwgen.verbs`, `hwgen.folding.explore` and
`hwgen.host.run`; the only reader of the environment."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from rich.console import Console

from hwgen import registry
from hwgen.design import LINKS, Design, Goal, load_design
from hwgen.errors import HwgenError
from hwgen.folding import explore as exploration
from hwgen.host import run as host_run
from hwgen.report import listing, pareto, table
from hwgen.session import Progress, Session
from hwgen.verbs import boards, building, core, flow

OVERRIDABLE = {field.name for field in fields(Design)} - {"name", "model", "goal"}
"""Fields of a design that have an option of the same name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 done, 1 failed check or tool, 2 bad input."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=bool(options.json))
    session = Session(
        environment=dict(os.environ),
        cache=_cache_folder(),
        progress=_progress(console),
    )
    try:
        return options.run(options, session, console)
    except HwgenError as error:
        if options.json:
            print(json.dumps({"error": str(error), "status": error.status}))
        print(f"hwgen: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("hwgen: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hwgen",
        description="From a quantized ONNX model to a streaming accelerator on open FPGA boards.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    inspect = _verb(verbs, "inspect", _inspect, "what maps, what does not and why, node by node")
    _model(inspect)

    estimate = _verb(verbs, "estimate", _estimate, "cycles, resources and energy without any tool")
    _choices(estimate)
    _goal(estimate)

    explore = _verb(verbs, "explore", _explore, "all foldings worth having, slowest to fastest")
    _choices(explore)
    explore.add_argument(
        "--points", type=_positive, default=exploration.POINTS, help="foldings to list at most"
    )

    build = _verb(verbs, "build", _build, "bitstream, manifest.json and report.json")
    _choices(build)
    _goal(build)
    build.add_argument("-o", "--out", type=Path, help="output folder")

    simulate = _verb(verbs, "simulate", _simulate, "run inputs through one rung of the ladder")
    _choices(simulate)
    _goal(simulate)
    simulate.add_argument("--inputs", type=Path, help="npz instead of the design's `--vectors`")
    simulate.add_argument("-o", "--out", type=Path, help="npz for output, output_int and cycles")
    simulate.add_argument(
        "--level", choices=flow.LEVELS, default="rtl", help="graph, cores, rtl or netlist"
    )

    alone = _verb(verbs, "core", _core, "check the core of one operator, and place it")
    alone.add_argument("operator", help="class of the operator, such as MatVec")
    alone.add_argument("--example", type=int, default=0, help="which of its examples, from 0")
    alone.add_argument("--device", default=core.DEVICE, help=f"by default {core.DEVICE}")
    _plugin_option(alone)

    report = _verb(verbs, "report", _report, "print the report of a build")
    report.add_argument("folder", type=Path, nargs="+", help="output folders of builds")
    report.add_argument("--into", type=Path, help="a text whose table of results is replaced")

    emulate = _verb(verbs, "emulate", _emulate, "run a build behind a pseudo-terminal")
    emulate.add_argument("folder", type=Path, help="output folder of a build")
    emulate.add_argument(
        "--netlist", action="store_true", help="simulate the synthesised netlist: slow"
    )

    run = _verb(verbs, "run", _run, host_run.SUMMARY)
    host_run.add_options(run)

    program = _verb(verbs, "program", _program, "write a build into its board")
    program.add_argument("folder", type=Path, help="output folder of a build")
    program.add_argument("--dry-run", action="store_true", help="only print the command")

    _verb(verbs, "boards", _boards, "boards: device, clock, link pins, how each is programmed")
    return parser


def _verb(verbs, name: str, run, text: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)
    return parser


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="an ONNX file, or a folder with design.toml")
    parser.add_argument(
        "--input-type", help="type of a float input without quantiser, such as u8 or s8:2^-5"
    )
    _plugin_option(parser)


def _plugin_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plugin",
        action="append",
        dest="plugins",
        metavar="MODULE",
        help="a module, or a .py file, with further operators; may be given more than once",
    )


def _choices(parser: argparse.ArgumentParser) -> None:
    """The fields of a design but its goal: the same for every verb, so that one command line serves
    them all; a verb that has no use for one checks its value only."""
    _model(parser)
    parser.add_argument("--board", help="a board; `hwgen boards` lists them")
    parser.add_argument("--device", help="a device instead of a board: up5k, ecp5-25f, ...")
    parser.add_argument("--clock-mhz", type=float, help="clock; each board has its default")
    parser.add_argument("--link", help=f"host link: {', '.join(LINKS)}; by default {Design.link}")
    parser.add_argument("--baud", type=int, help=f"rate of the link, by default {Design.baud}")
    parser.add_argument(
        "--vectors", type=Path, help="npz with `input`, optionally `label`, `output`"
    )
    parser.add_argument(
        "--sequential",
        action="store_true",
        default=None,
        help="layers one after the other on the same units, for networks larger than the device",
    )
    parser.add_argument("--seed", type=int, help=f"of place and route, by default {Design.seed}")
    parser.add_argument(
        "--netlist-frames",
        type=int,
        metavar="N",
        help=f"frames that a build sends through its netlist, by default {Design.netlist_frames}",
    )


def _goal(parser: argparse.ArgumentParser) -> None:
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--fps", type=float, help="cheapest folding with that many frames/s")
    goal.add_argument("--fit", action="store_true", help="fastest folding that fits")
    goal.add_argument("--folding", type=Path, help="a folding file")


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be positive, not {number}")
    return number


def _design(options: argparse.Namespace) -> Design:
    """The design that the options describe: those given override the folder's."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    changes = {name: given[name] for name in OVERRIDABLE if name in given}
    design = load_design(options.model)
    if "plugins" in changes:  # added: the folder's model needs its own
        changes["plugins"] = (*design.plugins, *changes["plugins"])
    # A device takes the place of the folder's board, and a board that of its device.
    if "device" in changes or "board" in changes:
        changes = {"device": None, "board": None} | changes
    if given.get("fit"):
        changes["goal"] = Goal()
    elif "fps" in given or "folding" in given:
        changes["goal"] = Goal(given.get("fps"), given.get("folding"))
    return replace(design, **changes)


def _inspect(options: argparse.Namespace, session: Session, console: Console) -> int:
    found = flow.inspect(_design(options))
    if options.json:
        print(json.dumps(listing.inspection_record(found), indent=2))
    else:
        listing.show_inspection(found, console)
    return 0 if found.mappable else 2


def _estimate(options: argparse.Namespace, session: Session, console: Console) -> int:
    _show(options, flow.estimate(_design(options), session), console)
    return 0


def _explore(options: argparse.Namespace, session: Session, console: Console) -> int:
    record = exploration.explore(_design(options), session, points=options.points)
    if options.json:
        print(json.dumps(record, indent=2))
    else:
        pareto.show(record, console)
    return 0


def _build(options: argparse.Namespace, session: Session, console: Console) -> int:
    design = _design(options)
    out = options.out or Path("build") / f"{design.name}-{design.board}"
    _show(options, building.build(design, session, out), console)
    return 0


def _simulate(options: argparse.Namespace, session: Session, console: Console) -> int:
    record = flow.simulate_files(
        _design(options), session, level=options.level, inputs=options.inputs, out=options.out
    )
    if options.json:
        print(json.dumps(record, indent=2))
    else:
        for name, value in record.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    return 0


def _core(options: argparse.Namespace, session: Session, console: Console) -> int:
    op = core.example(registry.find(options.plugins or ()), options.operator, options.example)
    record = core.core(op, options.device, session)
    if options.json:
        print(json.dumps(record, indent=2))
    else:
        table.show_core(record, console)
    return 0


def _report(options: argparse.Namespace, session: Session, console: Console) -> int:
    records = [flow.read_report(folder) for folder in options.folder]
    if options.into:
        flow.write_results(records, options.into)
    for record in records:
        _show(options, record, console)
    return 0


def _emulate(options: argparse.Namespace, session: Session, console: Console) -> int:
    def announce(path: str) -> None:
        print(json.dumps({"port": path}) if options.json else f"port: {path}", flush=True)

    with suppress(KeyboardInterrupt):
        flow.emulate(options.folder, session, announce, netlist=options.netlist)
    return 0


def _run(options: argparse.Namespace, session: Session, console: Console) -> int:
    host_run.show(host_run.run(options), as_json=options.json)
    return 0


def _program(options: argparse.Namespace, session: Session, console: Console) -> int:
    record = boards.program(options.folder, session, dry_run=options.dry_run)
    if options.json:
        print(json.dumps(record, indent=2))
    elif options.dry_run:
        print(record["command"])
    return 0


def _boards(options: argparse.Namespace, session: Session, console: Console) -> int:
    rows = boards.boards()
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        listing.show_boards(rows, console)
    return 0


def _show(options: argparse.Namespace, record: dict, console: Console) -> None:
    if options.json:
        print(json.dumps(record, indent=2))
    else:
        table.show(record, console)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hwgen"


def _progress(console: Console) -> Progress:
    return lambda text: console.print(text, style="dim", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
