"""Work on many images: jobs, inputs, engines, the runner, and the files that let a run resume.

May import `io` and what is below it.
"""
