"""How a fleet's figures are laid out."""

from dataclasses import replace

import pytest
from rich.console import Console

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.fleet_views import HEADINGS, as_plain, as_table, duration, footer, status_rows
from deploy.fleet.ports import Observation, Report, Seen

REPORT = Report(
    uptime_seconds=65, in_flight=3, waiting=2, threads=16, requests_total=500, pool_size=6, pool_available=4,
    pool_max=16, check_age_seconds=0.84, queue_depth=7,
)  # fmt: skip
WEB = Seen("web-1", "web", 11, "127.0.0.1:1", "abc", InstanceState.READY, report=REPORT, routed=True)
WORKER = Seen("worker-1", "worker", 12, None, "abc", InstanceState.READY, age_seconds=10921)


def seen(*units: Seen) -> Observation:
    return Observation("ready", units=list(units))


def cells(unit: Seen, before: Seen | None = None, seconds: float = 2.0) -> dict[str, str]:
    rows = status_rows(seen(unit), seen(before) if before else None, seconds)
    return dict(zip(rows[0], rows[1], strict=True))


def test_a_web_instance_is_shown_with_what_it_tells() -> None:
    assert cells(WEB) == {
        "NAME": "web-1", "RELEASE": "abc", "STATE": "ready", "UPTIME": "1m 05s", "IN FLIGHT": "3/16 +2",
        "POOL": "2/16", "REQ/S": "-", "LAST CHECK": "0.8s", "PROXY": "yes",
    }  # fmt: skip


def test_a_worker_is_shown_with_what_is_known() -> None:
    assert cells(WORKER) == {
        "NAME": "worker-1", "RELEASE": "abc", "STATE": "ready", "UPTIME": "3h 02m", "IN FLIGHT": "-",
        "POOL": "-", "REQ/S": "-", "LAST CHECK": "-", "PROXY": "-",
    }  # fmt: skip


def test_an_instance_that_tells_nothing_is_shown_without_figures() -> None:
    found = cells(replace(WEB, report=None, release=None, age_seconds=3.0, routed=False))
    assert (found["RELEASE"], found["UPTIME"], found["IN FLIGHT"], found["PROXY"]) == ("-", "3s", "-", "no")


def test_nobody_waiting_is_not_mentioned() -> None:
    assert cells(replace(WEB, report=replace(REPORT, waiting=0)))["IN FLIGHT"] == "3/16"


def test_a_check_that_never_ran_has_no_age() -> None:
    assert cells(replace(WEB, report=replace(REPORT, check_age_seconds=None)))["LAST CHECK"] == "-"


def test_requests_a_second_come_from_two_looks() -> None:
    before = replace(WEB, report=replace(REPORT, requests_total=475))
    assert cells(WEB, before, seconds=2.0)["REQ/S"] == "12.5"


@pytest.mark.parametrize(
    ("before", "seconds"),
    [
        (replace(WEB, report=None), 2.0),
        (replace(WEB, name="web-9"), 2.0),
        (replace(WEB, report=replace(REPORT, requests_total=501)), 2.0),
        (WEB, 0.0),
    ],
    ids=["it said nothing then", "it was not there then", "it was started again since", "no time has passed"],
)
def test_without_two_looks_at_the_same_process_there_is_no_rate(before: Seen, seconds: float) -> None:
    assert cells(WEB, before, seconds)["REQ/S"] == "-"


def test_web_instances_come_first() -> None:
    rows = status_rows(seen(WORKER, WEB), None, 0)
    assert [row[0] for row in rows] == ["NAME", "web-1", "worker-1"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-1, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m 00s"), (65, "1m 05s"), (3599, "59m 59s"),
        (3600, "1h 00m"), (10921, "3h 02m"), (86399, "23h 59m"), (86400, "1d 00h"), (187200, "2d 04h"),
    ],
)  # fmt: skip
def test_durations_have_their_two_largest_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_the_highest_queue_depth_that_anyone_saw_is_shown() -> None:
    other = replace(WEB, name="web-2", report=replace(REPORT, queue_depth=12))
    third = replace(WEB, name="web-3", report=replace(REPORT, queue_depth=None))
    assert footer(seen(WEB, other, third, WORKER)) == "Waiting for a worker: 12"


def test_an_empty_queue_is_a_figure() -> None:
    assert footer(seen(replace(WEB, report=replace(REPORT, queue_depth=0)))).endswith(" 0")


def test_an_unknown_queue_is_said_to_be() -> None:
    assert footer(seen(WORKER)) == "Waiting for a worker: not known"


def test_plain_text_stands_in_columns() -> None:
    lines = as_plain(status_rows(seen(WEB, WORKER), None, 0)).splitlines()
    assert len(lines) == 3
    assert {line.index(cell) for line, cell in zip(lines, ["STATE", "ready", "ready"], strict=True)} == {19}
    assert all(line == line.rstrip() for line in lines)


def test_a_fleet_of_nothing_has_headings() -> None:
    assert status_rows(seen(), None, 0) == [HEADINGS]
    assert as_plain([HEADINGS]) == "  ".join(HEADINGS)


def test_the_table_shows_cells_as_they_are() -> None:
    console = Console(width=160, force_terminal=False)
    odd = replace(WEB, release="[red]x[/]")
    with console.capture() as capture:
        console.print(as_table(status_rows(seen(odd), None, 0), "below"))
    shown = capture.get()
    assert "[red]x[/]" in shown
    assert "3/16 +2" in shown
    assert "below" in shown


def test_the_table_colours_states() -> None:
    console = Console(width=160, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(as_table(status_rows(seen(WEB), None, 0)))
    assert "\x1b[32mready" in capture.get()
