"""Owns the two questions others ask about a shutdown. Answers False where there is no instance to stop."""

from apps.lifecycle import scoreboard
from apps.lifecycle.rules import may_hand_over
from apps.lifecycle.vocabulary import DrainPhase


def is_draining() -> bool:
    """Whether this instance has been told to stop; it still serves."""
    board = scoreboard.current()
    return board is not None and board.phase is not DrainPhase.SERVING


def should_hand_over() -> bool:
    """Whether a long request should commit what it has and end now. Two reads of memory: ask per block."""
    board, slot = scoreboard.current(), scoreboard.own_slot()
    if board is None:
        return False
    return may_hand_over(phase=board.phase, worker_stopping=slot is not None and bool(slot.stopping))
