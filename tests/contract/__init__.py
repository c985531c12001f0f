"""Contracts of ports as tests: each adapter's own test module runs them."""
