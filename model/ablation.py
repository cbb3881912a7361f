"""The ablation: python -m model.ablation"""

import sys

from model.evaluate.ablation import main

if __name__ == "__main__":
    sys.exit(main())
