"""Many images: what to do (job), to which files (inputs), what is done (journal), and doing it (runner).

May import everything but the command line.
"""
