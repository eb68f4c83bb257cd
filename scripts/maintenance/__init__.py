"""Maintenance of the project: fuzzing, mutation testing, the README's generated blocks, the samples."""
