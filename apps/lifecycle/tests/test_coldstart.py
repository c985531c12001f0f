"""A process knows how old it is, and gunicorn's own log lines look like the site's."""

import json
import logging
import subprocess
import sys
import time

from apps.lifecycle.coldstart import process_age_seconds
from apps.lifecycle.logs import JsonFormatter


def test_a_process_knows_its_age():
    first = process_age_seconds()
    time.sleep(0.05)
    second = process_age_seconds()
    assert first is not None
    assert second is not None
    assert 0.04 < second - first < 0.5


def test_a_new_process_is_young():
    code = "from apps.lifecycle.coldstart import process_age_seconds; print(process_age_seconds())"
    age = float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    )
    assert 0 < age < 5


def test_a_log_line_of_gunicorn_is_one_json_object_with_the_sites_fields():
    record = logging.LogRecord("gunicorn.error", logging.INFO, "", 0, "Listening at: %s", ("x\ny",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["event"] == "Listening at: x\ny"
    assert {"time", "level", "logger", "instance", "release"} < set(json.loads(line))
