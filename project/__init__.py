"""Spillway's settings, URLs and entry points. Apps never import this package."""
