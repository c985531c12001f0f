"""Owns the pages of archives and previews, and the proxy's questions about them."""
