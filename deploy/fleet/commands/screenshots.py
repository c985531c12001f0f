"""`spillway screenshots`: hand over to what photographs the site, under tests/."""

import os
import sys
from argparse import Namespace

from deploy.fleet.checkout import ROOT


def run(options: Namespace, rest: list[str]) -> int:
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "tests.screenshots", *rest])  # noqa: S606
