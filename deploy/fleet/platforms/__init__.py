"""Owns the choice of a platform. The only place that knows them all."""

from argparse import Namespace
from pathlib import Path

from deploy.fleet.ports import Fleet, Platform


def platform_for(data: Path) -> Platform:
    """What starts and stops a whole fleet on this machine; with Compose, Compose itself does that."""
    from deploy.fleet.platforms.embedded.platform import EmbeddedPlatform

    return EmbeddedPlatform(data)


def fleet_for(options: Namespace) -> Fleet:
    """The running fleet that `--platform`, `--data` and `--env-file` mean: Compose's where its project runs."""
    from deploy.fleet.platforms.compose.fleet import ComposeFleet
    from deploy.fleet.platforms.embedded.fleet import EmbeddedFleet

    if options.platform == "embedded":
        return EmbeddedFleet(options.data)
    compose = ComposeFleet(options.env_file)
    if options.platform == "compose" or compose.runs():
        return compose
    return EmbeddedFleet(options.data)
