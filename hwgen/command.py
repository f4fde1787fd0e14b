"""Entry point of the `hwgen` command: a clear message where only the host driver is installed."""

import sys


def main() -> int:
    """Runs `hwgen.cli.main`."""
    try:
        from hwgen.cli import main as run
    except ModuleNotFoundError as error:
        print(
            f"hwgen: the command needs {error.name}, which only the build install brings: "
            "run `pip install 'hwgen[build]'`",
            file=sys.stderr,
        )
        return 2
    return run()
