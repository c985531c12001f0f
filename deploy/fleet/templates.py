"""Owns how a configuration file is made from its template. Pure; knows neither nginx nor Traefik.

Only `${UPPER_CASE}` names are filled in, as the official nginx image does it with the same files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from deploy.fleet.checkout import ROOT

_NAME = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
# Characters that could end a quoted string, begin a variable or a new line in either language.
_UNSAFE = re.compile(r"[\"'\\$`{}\n\r\0]")


def render(template: str, values: Mapping[str, str | int]) -> str:
    """The template with every name filled in. ValueError for a value that could break out of its place."""
    for name, value in values.items():
        if _UNSAFE.search(str(value)):
            raise ValueError(f"{name} has a character that cannot stand in a configuration file: {value!r}")
    return _NAME.sub(lambda match: str(values[match[1]]), template)


def template(name: str) -> str:
    """The text of a template under deploy/, such as `nginx/files.conf.template`."""
    return (ROOT / "deploy" / Path(name)).read_text(encoding="utf-8")
