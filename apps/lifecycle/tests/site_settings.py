"""The site's settings with a few routes of the tests' own: slow ones, and ones that hold a connection."""

from project.settings import *  # noqa: F403

ROOT_URLCONF = "apps.lifecycle.tests.site_urls"
