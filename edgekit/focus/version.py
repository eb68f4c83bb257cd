"""The versions of the measures and of the score: rows that were measured by another version are stale.

Imports nothing, so that reading rows does not load what measures images.
"""

#: Increased when a focus measure of an image changes.
MEASURES = 3

#: Increased when the score changes.
SCORE = 4

#: For the column `scorer`.
SCORER = f"edgekit-{MEASURES}.{SCORE}"
