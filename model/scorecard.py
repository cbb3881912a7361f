"""The scorecard: python -m model.scorecard"""

import sys

from model.evaluate.scorecard import main

if __name__ == "__main__":
    sys.exit(main())
