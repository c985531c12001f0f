"""Processes on this machine, from servers that come in Python packages. Tests use `services_running`."""

from deploy.fleet.platforms.embedded.servers import services_running

__all__ = ["services_running"]
