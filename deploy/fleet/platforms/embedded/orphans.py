"""Owns finding and ending what a killed supervisor left running. Never touches a process that is not this folder's."""

import signal

from deploy.fleet.platforms.embedded import journal
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.processes import Identity, end_strays, strays

# All of them take SIGINT as "stop without a drain": nobody is left to send them requests.
_LIMIT_SECONDS = 10.0


def orphans(folder: DataFolder) -> list[Identity]:
    """Processes of this folder's last fleet that live: those written down, and those that carry its mark."""
    written = journal.identities(folder).values()
    marked = strays(str(folder.root))
    return [identity for identity in {*written, *marked} if identity.alive()]


def end_orphans(folder: DataFolder) -> list[Identity]:
    """Call only while no supervisor lives, or by the one that has just taken the lock."""
    return end_strays(orphans(folder), signal.SIGINT, _LIMIT_SECONDS)
