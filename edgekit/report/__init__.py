"""Reports: the review page of ``edgekit score`` for a browser without a network, and plots.

May import `batch` and what is below it. Jinja2 comes with the extra ``report``.
"""
