"""The version of the package; a module of its own, so that the package's modules can import it without ``mien``."""

__version__ = "0.1.0"
