"""The site's own sweep, run when a test says so: a line comes in, uploads expire, their number goes out.

A process of its own with the fleet's environment, as `manage.py` would be, but started once.
"""

import sys

import django


def main() -> None:
    django.setup()
    from apps.uploads.expiring import uploads_expire

    for _ in sys.stdin:
        print(uploads_expire(), flush=True)


if __name__ == "__main__":
    main()
