"""Owns the pages and the JSON of transfers: each module parses, calls one service, shapes the result."""
