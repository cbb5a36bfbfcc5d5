"""Starlette's own test suite with our middleware around every application: `make starlette-suite`.

It needs the package index once, for Starlette's source, so it is no part of `make test`.
"""
