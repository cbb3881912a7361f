"""The benchmark: python -m model.benchmark"""

import sys

from model.evaluate.benchmark import main

if __name__ == "__main__":
    sys.exit(main())
