"""``python -m xdrought`` is the command ``xdrought``."""

import sys

from xdrought.cli import main

if __name__ == "__main__":
    sys.exit(main())
