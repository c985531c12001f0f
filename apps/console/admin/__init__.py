"""The admin's pages about everything the site keeps. Importing them registers them."""

from apps.console.admin import files, jobs, moderation, people, records, sharing, transfers, uploads

__all__ = ["files", "jobs", "moderation", "people", "records", "sharing", "transfers", "uploads"]
