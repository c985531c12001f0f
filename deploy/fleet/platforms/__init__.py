"""Owns the choice of a platform. The only place that knows them all."""

from pathlib import Path

from deploy.fleet.ports import Platform


def platform_for(data: Path) -> Platform:
    """The platform of the fleet in this data folder; today there is one."""
    from deploy.fleet.platforms.embedded.platform import EmbeddedPlatform

    return EmbeddedPlatform(data)
