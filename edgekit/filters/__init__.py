"""Applying operators to images: the public filters, their options, and the path from an option to a response.

May import `backends` and what is below it.
"""
