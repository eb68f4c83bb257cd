"""What a filter is, before there is an image: borders, kernels, the table of operators. Standard library only.

May import `common` and what is below it.
"""
