"""The version of the package, in its own module so that other modules can import it without importing ``mien``."""

__version__ = "0.1.0"
