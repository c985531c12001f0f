"""The README's table of settings is what the code reads."""

from project import settings
from project.env import REGISTRY
from project.settings_table import README, table, with_table


def test_the_readme_lists_every_setting_as_the_code_has_it() -> None:
    assert settings.RELEASE  # reading one setting reads them all
    readme = README.read_text()
    assert with_table(readme, table(REGISTRY)) == readme, "run: python -m project.settings_table"


def test_no_setting_is_without_a_meaning() -> None:
    assert [v.name for v in REGISTRY.values() if len(v.meaning) < 10] == []
