"""Every text that a person may read is in the catalogs, and every catalog is whole."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import polib
import pytest

from deploy.fleet.errors import FleetError
from deploy.texts import catalogs, collect_texts, compile_texts, texts_script

ROOT = Path(__file__).resolve().parents[2]
_CATALOGS = [*catalogs(ROOT, "django"), *catalogs(ROOT, "djangojs")]
_NAMES = [f"{path.parents[1].name}-{path.stem}" for path in _CATALOGS]
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%\{\w+\}|\{\w*\}|%[sd]")


def said_in(catalog: Path) -> set[tuple[str, str, str]]:
    return {(e.msgid, e.msgid_plural, e.msgctxt or "") for e in polib.pofile(str(catalog)) if not e.obsolete}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what has texts, with its catalogs brought up to it."""
    if not shutil.which("xgettext"):
        pytest.skip("needs GNU gettext (xgettext) to read the texts out of the code")
    copy = tmp_path_factory.mktemp("texts")
    unwanted = shutil.ignore_patterns("node_modules", "tests", "__pycache__", "*.mo")
    for part in ("apps", "project", "templates", "frontend", "locale"):
        shutil.copytree(ROOT / part, copy / part, ignore=unwanted)
    collect_texts(copy)
    return copy


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_the_catalogs_hold_what_the_code_says_and_nothing_else(collected: Path, domain: str) -> None:
    """`./spillway translate` brings them up to it."""
    for catalog in catalogs(collected, domain):
        known = said_in(ROOT / catalog.relative_to(collected))
        assert known == said_in(catalog)


@pytest.mark.parametrize("catalog", _CATALOGS, ids=_NAMES)
def test_every_text_is_translated(catalog: Path) -> None:
    found = polib.pofile(str(catalog))
    assert [entry.msgid for entry in found.untranslated_entries() if not entry.obsolete] == []
    assert [entry.msgid for entry in found.fuzzy_entries()] == []


@pytest.mark.parametrize("catalog", _CATALOGS, ids=_NAMES)
def test_a_translation_has_the_placeholders_of_its_text(catalog: Path) -> None:
    for entry in polib.pofile(str(catalog)).translated_entries():
        wanted = set(_PLACEHOLDER.findall(entry.msgid))
        if not entry.msgid_plural:
            assert set(_PLACEHOLDER.findall(entry.msgstr)) == wanted, entry.msgid
            continue
        *_, many = [text for _, text in sorted(entry.msgstr_plural.items())]
        assert set(_PLACEHOLDER.findall(many)) == set(_PLACEHOLDER.findall(entry.msgid_plural)), entry.msgid
        for text in entry.msgstr_plural.values():
            assert set(_PLACEHOLDER.findall(text)) <= wanted | set(_PLACEHOLDER.findall(many)), entry.msgid


@pytest.mark.parametrize("catalog", _CATALOGS, ids=_NAMES)
def test_no_translation_raises_its_voice(catalog: Path) -> None:
    for entry in polib.pofile(str(catalog)).translated_entries():
        for text in [entry.msgstr, *entry.msgstr_plural.values()]:
            assert text.count("!") <= entry.msgid.count("!"), text


CATALOG = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Copied"
msgstr "Kopiert"

msgid "%(n)s file"
msgid_plural "%(n)s files"
msgstr[0] "%(n)s Datei"
msgstr[1] "%(n)s Dateien"

#, fuzzy
msgid "A guess"
msgstr "Geraten"
"""
_ASK = """
const d = globalThis.django;
console.log(JSON.stringify([d.gettext("Copied"), d.gettext("Not known"), d.gettext("A guess"), d.gettext("toString"),
  d.ngettext("%(n)s file", "%(n)s files", 1), d.ngettext("%(n)s file", "%(n)s files", 2), d.ngettext("a", "b", 2)]));
"""


def test_the_scripts_texts_are_found_by_their_english_and_by_number() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    script = texts_script(polib.pofile(CATALOG)) + _ASK
    said = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [
        "Kopiert", "Not known", "A guess", "toString", "%(n)s Datei", "%(n)s Dateien", "b",
    ]  # fmt: skip


def test_a_formula_that_is_more_than_one_never_becomes_a_script() -> None:
    with pytest.raises(FleetError, match="Plural-Forms"):
        texts_script(polib.pofile(CATALOG.replace("(n != 1)", "fetch(n)")))


def test_a_language_without_texts_of_scripts_has_an_empty_script(tmp_path: Path) -> None:
    """Pages name it all the same."""
    folder = tmp_path / "locale" / "pt_BR" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text(CATALOG)
    compile_texts(tmp_path)
    assert (folder / "django.mo").stat().st_size > 0
    assert (tmp_path / "static" / "build" / "texts.pt-br.js").read_text() == ""
