"""Owns the way of a text: from the code into locale/*/LC_MESSAGES/*.po, and from there into what is read at run time.

Compiling is plain Python, so that nobody needs GNU gettext to run or test the site; collecting, for those who write
texts, does. Runs in the environment with the packages, as `python -m deploy.texts compile|collect [ROOT]`.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polib

from deploy.fleet.errors import FleetError

_CHECKOUT = Path(__file__).resolve().parents[1]
_IGNORED = ("node_modules", "tests", "test", "static", ".venv", ".spillway")
# What a catalog's formula may consist of: it becomes a part of a script.
_FORMULA = re.compile(r"plural=([\sn0-9()!=<>&|?:%+-]+);?")
_SCRIPT = (
    "(()=>{const t=%(texts)s,k=n=>Number(%(formula)s);globalThis.django={"
    "gettext:s=>typeof t[s]==='string'?t[s]:s,"
    "ngettext:(s,m,n)=>Array.isArray(t[s])?t[s][k(n)]:n===1?s:m}})();\n"
)


def catalogs(root: Path, domain: str) -> list[Path]:
    """The .po files of a domain, `django` or `djangojs`, one a language."""
    return sorted((root / "locale").glob(f"*/LC_MESSAGES/{domain}.po"))


def compile_texts(root: Path) -> None:
    """Make a .mo beside each django.po, and for each language static/build/texts.<language>.js. Safe to repeat."""
    for catalog in catalogs(root, "django"):
        polib.pofile(str(catalog)).save_as_mofile(str(catalog.with_suffix(".mo")))
        _write_script(catalog.with_name("djangojs.po"), root / "static" / "build")


def _write_script(catalog: Path, built: Path) -> None:
    built.mkdir(parents=True, exist_ok=True)
    # As pages name it: pt-br for locale/pt_BR.
    language = catalog.parents[1].name.replace("_", "-").lower()
    script = texts_script(polib.pofile(str(catalog))) if catalog.is_file() else ""
    (built / f"texts.{language}.js").write_text(script, encoding="utf-8")


def texts_script(catalog: polib.POFile) -> str:
    """The script that gives frontend/src/i18n.js its translations. Raises FleetError for a formula that is none."""
    formula = _FORMULA.search(catalog.metadata.get("Plural-Forms", ""))
    if formula is None:
        raise FleetError(f"{catalog.fpath} has no Plural-Forms that can be used.")
    texts = {entry.msgid: _translation(entry) for entry in catalog.translated_entries()}
    said = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return _SCRIPT % {"texts": said, "formula": formula[1].strip()}


def _translation(entry: polib.POEntry) -> str | list[str]:
    if not entry.msgid_plural:
        return str(entry.msgstr)
    return [str(text) for _, text in sorted(entry.msgstr_plural.items())]


def collect_texts(root: Path) -> None:
    """Bring every catalog up to what the code says now: new texts come untranslated, old ones go. Raises FleetError."""
    if not shutil.which("xgettext"):
        raise FleetError("Collecting texts needs GNU gettext (Debian: apt install gettext).")
    languages = [part for folder in sorted((root / "locale").iterdir()) for part in ("-l", folder.name)]
    ignored = [part for name in _IGNORED for part in ("-i", name)]
    for domain in ("django", "djangojs"):
        argv = [sys.executable, "-m", "django", "makemessages", "-d", domain, *languages, *ignored]
        argv += ["--no-obsolete", "--no-wrap", "--add-location", "file"]
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FleetError(f"Texts could not be collected: {done.stderr.strip()}")
        for catalog in catalogs(root, domain):
            _tidy(catalog)


def _tidy(catalog: Path) -> None:
    """Guesses go: they read like translations. So does a header of placeholders, and the date in it."""
    found = polib.pofile(str(catalog), wrapwidth=0)
    for entry in found:
        if entry.fuzzy:
            entry.flags.remove("fuzzy")
            entry.previous_msgid = entry.previous_msgid_plural = None
            entry.msgstr = ""
            entry.msgstr_plural = dict.fromkeys(entry.msgstr_plural, "")
    found.header = "Texts of Spillway. `./spillway translate` brings them up to the code."
    found.metadata = {
        "Language": catalog.parents[1].name,
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": found.metadata["Plural-Forms"],
    }
    found.metadata_is_fuzzy = False
    found.save()


_VERBS: dict[str, Callable[[Path], None]] = {"compile": compile_texts, "collect": collect_texts}

if __name__ == "__main__":
    try:
        _VERBS[sys.argv[1]](Path(sys.argv[2]) if len(sys.argv) > 2 else _CHECKOUT)
    except FleetError as error:
        sys.exit(f"texts: {error}")
