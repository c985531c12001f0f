"""The kill test in its short form: `./spillway bench survive` is the long one."""

from tests.bench.survive import remarks
from tests.survive.run import SHORT, survive


def test_every_upload_survives_strikes_every_second_and_restarts_of_what_all_need() -> None:
    verdict = survive(SHORT, print)
    print("\n".join([*remarks(verdict), *verdict.diary]))
    assert verdict.failures() == [], f"the site's logs are in {verdict.logs}"
    kept = (verdict.completed, verdict.at_first_url, verdict.right)
    assert kept == (SHORT.count, SHORT.count, SHORT.count)
    # There was something to survive.
    assert {"postgres restarted", "redis restarted"} <= verdict.struck.keys()
    assert sum(verdict.struck.values()) > SHORT.count * SHORT.every_seconds / 2
