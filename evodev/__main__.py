"""`python -m evodev`, where the command is not on the path."""

import sys

from evodev.cli import main

if __name__ == "__main__":
    sys.exit(main())
