"""Classifies the held-out digits on a board, or on an emulated one:

python -m designs.digits_cnn.run [BUILD] [--port PORT] [--frames N]
"""

import sys
from pathlib import Path

from designs import digits_running

if __name__ == "__main__":
    sys.exit(digits_running.main(Path(__file__).parent))
