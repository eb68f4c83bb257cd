"""Small parts that all other folders may use: names, limits of the readers, accepted arrays, OpenCV's loader.

May import `errors`.
"""
