"""Everything that can be chosen."""

from octavo.spaces.protocol import Column, Config, Points, Space

__all__ = ["Column", "Config", "Points", "Space"]
