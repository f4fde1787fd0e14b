"""Entry point of the `hwgen` command; where only the host driver is installed, `run` is all."""

import sys


def main() -> int:
    """Runs `hwgen.cli.main`, or the one verb that needs no build install."""
    try:
        from hwgen.cli import main as run
    except ModuleNotFoundError as error:
        if sys.argv[1:2] == ["run"]:
            from hwgen.host.run import main as run_on_board

            return run_on_board(sys.argv[2:])
        print(
            f"hwgen: all but `run` needs {error.name}, which only the build install brings: "
            "run `pip install 'hwgen[build]'`",
            file=sys.stderr,
        )
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
