"""The Fruits-360 folder: python -m model.fruits360"""

import sys

from model.data.fruits360 import main

if __name__ == "__main__":
    sys.exit(main())
