"""Owns how a test sees the metrics of a fleet: once, or again and again while something happens. Reads only."""

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, float]
_ENDING = re.compile(r"_(bucket|count|sum|total|info)$")


def scrape(address: str) -> Samples:
    """Each sample by `name{label=value,...}`. Raises requests.RequestException."""
    answer = requests.get(f"http://{address}/metrics", timeout=10)
    answer.raise_for_status()
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def metric_of(sample: str) -> str:
    """What a sample is of: without its labels and what Prometheus puts behind the names of counters and histograms."""
    return _ENDING.sub("", sample.partition("{")[0])


def matching(samples: Mapping[str, float], name: str, *labels: str) -> float:
    """The sum of all samples of this name that have these labels."""
    return sum(
        value
        for sample, value in samples.items()
        if sample.startswith(f"{name}{{") and all(label in sample for label in labels)
    )


@dataclass
class Span:
    """What one sample said since the first look."""

    first: float
    last: float
    least: float
    most: float

    def note(self, value: float) -> None:
        """Another look."""
        self.last, self.least, self.most = value, min(self.least, value), max(self.most, value)


class Watch:
    """Scrapes every unit (`addresses`, by name) while the block runs; who cannot be reached is asked again later."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        self._spans: dict[str, dict[str, Span]] = {name: {} for name in addresses}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> "Watch":
        for name, address in self._addresses.items():
            samples = scrape(address)
            self._spans[name] = {sample: Span(*[value] * 4) for sample, value in samples.items()}
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def most(self, unit: str, name: str, *labels: str) -> float:
        """The greatest that a gauge was."""
        return matching({sample: span.most for sample, span in self._seen(unit)}, name, *labels)

    def least(self, unit: str, name: str, *labels: str) -> float:
        """The least that a gauge was."""
        return matching({sample: span.least for sample, span in self._seen(unit)}, name, *labels)

    def growth(self, unit: str, name: str, *labels: str) -> float:
        """How far a counter has come since the first look."""
        return matching({sample: span.last - span.first for sample, span in self._seen(unit)}, name, *labels)

    def everywhere(self, name: str, *labels: str) -> float:
        """The same of all units together."""
        return sum(self.growth(unit, name, *labels) for unit in self._addresses)

    def moved(self) -> set[str]:
        """The site's metrics that said one thing at one time and another at another, on any unit."""
        return {
            metric_of(sample)
            for unit in self._addresses
            for sample, span in self._seen(unit)
            if span.most > span.least and sample.startswith("spillway_")
        }

    def _go_on(self) -> None:
        while not self._stop.wait(0.1):
            for name, address in self._addresses.items():
                with suppress(requests.RequestException):
                    self._note(name, scrape(address))

    def _note(self, unit: str, samples: Samples) -> None:
        with self._lock:
            for sample, value in samples.items():
                # What counts begins at nought, said or not; what measures, with what it says first.
                first = 0.0 if _ENDING.search(sample.partition("{")[0]) else value
                self._spans[unit].setdefault(sample, Span(*[first] * 4)).note(value)

    def _seen(self, unit: str) -> list[tuple[str, Span]]:
        with self._lock:
            return list(self._spans[unit].items())
