"""`python -m hwgen` is the `hwgen` command."""

import sys

from hwgen.command import main

sys.exit(main())
