"""The command line: thin faces of what the library does."""

from octavo.cli.app import main

__all__ = ["main"]
