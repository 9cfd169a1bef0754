"""`python -m segnext` is the command `segnext`."""

import sys

from segnext.cli import main

if __name__ == "__main__":
    sys.exit(main())
