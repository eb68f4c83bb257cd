"""The review page: what ``edgekit score`` found, to be looked at in a browser without a network.

May import batch and what is below it. Jinja2 comes with the extra ``report``.
"""
