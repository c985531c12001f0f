"""`spillway translate`: the texts in the code into locale/, and what is in locale/ into what is read at run time."""

import os
import subprocess
import sys
from argparse import Namespace

from deploy.fleet.checkout import ROOT


def run(options: Namespace, rest: list[str]) -> int:
    for verb in ("collect", "compile"):
        argv = [sys.executable, "-P", "-m", "deploy.texts", verb]
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
        if done.returncode:
            return done.returncode
    print("locale/ is up to the code; what has no translation yet has an empty msgstr.")
    return 0
