"""Rendered fruit: python -m model.rendered"""

from model.data.rendered import main

if __name__ == "__main__":
    main()
