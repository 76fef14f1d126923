"""Entry point of ``python -m mien``."""

from mien.apps.cli import main

if __name__ == "__main__":
    main()
