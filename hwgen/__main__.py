"""`python -m hwgen` is the `hwgen` command."""

import sys

from hwgen.command import main

if __name__ == "__main__":
    sys.exit(main())
