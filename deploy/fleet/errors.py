"""Owns how the tool says no: one sentence that tells the operator what to do. Prints nothing itself."""


class FleetError(Exception):
    """Something the operator can act on; `code` is stable, the message is one line."""

    code = "failed"
    exit_code = 1

    def __init__(self, message: str, *, log_tail: list[str] | None = None) -> None:
        super().__init__(message)
        self.log_tail = log_tail or []


class UsageError(FleetError):
    """An option or argument that makes no sense."""

    code = "usage"
    exit_code = 2


class DataFolderError(FleetError):
    """The data folder cannot be used."""

    code = "data_folder"


class PortTakenError(FleetError):
    """Somebody else listens where we were told to."""

    code = "port_taken"


class StartError(FleetError):
    """The fleet did not come up; nothing of it is left running."""

    code = "start"


class AlreadyUpError(FleetError):
    """Another `up` was first."""

    code = "already_up"


class StoppedWhileStartingError(FleetError):
    """The operator changed their mind: Ctrl-C or `down` before everything was ready."""

    code = "interrupted"
    exit_code = 130


class NotRunningError(FleetError):
    """The command needs a running fleet."""

    code = "not_running"


class ReleaseError(FleetError):
    """A release cannot be had, prepared or trusted."""

    code = "release"


class BusyError(FleetError):
    """Somebody else changes this fleet at the moment."""

    code = "busy"


class RolloutFailedError(FleetError):
    """The goal was not reached; the message says why, without a full stop."""

    code = "rollout_failed"


class InterruptedRolloutError(FleetError):
    """Ctrl-C: the fleet stays as it is at that moment, and serves."""

    code = "rollout_interrupted"
    exit_code = 130
