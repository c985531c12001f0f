"""Owns uploads over HTTP: each module parses headers, calls one service, shapes the answer."""
