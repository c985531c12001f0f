"""`spillway bench`: hand over to the benchmarks under tests/."""

import os
import sys
from argparse import Namespace

from deploy.fleet.checkout import ROOT


def run(options: Namespace, rest: list[str]) -> int:
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "tests.bench", *rest])  # noqa: S606
