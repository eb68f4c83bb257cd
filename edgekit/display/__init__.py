"""From responses to 8-bit and 16-bit images: the range of an image, white level, rendering.

May import `filters` and what is below it.
"""
