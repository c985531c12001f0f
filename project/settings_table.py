"""Owns the README's table of settings: made from the code, checked by a test. Reads no setting itself.

python -m project.settings_table      writes it (any SECRET_KEY, DATABASE_URL... will do)
"""

from pathlib import Path

from project.env import Variable

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
README = Path(__file__).resolve().parent.parent / "README.md"


def table(variables: dict[str, Variable]) -> str:
    """Markdown: one row a variable, in the order in which the settings read them."""
    rows = [
        f"| `{v.name}` | {_escaped(v.kind)} | {_escaped(v.default) or '-'} | {_escaped(v.meaning)} |"
        for v in variables.values()
    ]
    return "\n".join(["| variable | kind | default | meaning |", "|---|---|---|---|", *rows])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def with_table(readme: str, made: str) -> str:
    """The README with this table between its markers. Raises ValueError without them."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main() -> None:
    """Write the table into the README."""
    from project import settings
    from project.env import REGISTRY

    assert settings.RELEASE  # reading one setting reads them all
    README.write_text(with_table(README.read_text(), table(REGISTRY)))


if __name__ == "__main__":
    main()
