"""Owns the clock of a cold start: when this process began, and how long each part of the start took."""

import os
import time
from pathlib import Path


def process_age_seconds() -> float | None:
    """How long ago this process was made; None where the system does not say."""
    return _age_from_proc() if hasattr(time, "CLOCK_BOOTTIME") else _age_from_psutil()


def _age_from_proc() -> float | None:
    """Field 22 of /proc/self/stat: clock ticks since boot (proc(5)). The name in field 2 may hold spaces."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
    except (OSError, ValueError, IndexError):
        return None


def _age_from_psutil() -> float | None:
    try:
        import psutil
    except ImportError:
        return None
    return max(0.0, time.time() - float(psutil.Process().create_time()))
