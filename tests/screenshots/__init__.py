"""Photographs of the site for the README, made anew by `./spillway screenshots`."""
