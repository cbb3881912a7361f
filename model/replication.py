"""The replication of the paper: python -m model.replication"""

import sys

from model.evaluate.replication import main

if __name__ == "__main__":
    sys.exit(main())
