"""
A photographer sorts a folder
=============================

A folder has many photographs, and some of them are blurred. This tutorial scores all of them, looks at those
with uncertain scores, and moves the blurred ones.
"""

# %%
# A folder to sort
# ----------------
#
# The samples have only a few photographs. Two blurred copies of each are added, one with a slight and one with a wide
# blur.
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

import edgekit as ek

folder = Path(tempfile.mkdtemp())
for path in sorted(Path("samples").glob("c*e*.png")):
    photograph = ek.read_image(path)
    ek.write_image(folder / path.name, photograph)
    for sigma in (1, 4):
        ek.write_image(
            folder / f"{path.stem}-blur{sigma}.png",
            cv2.GaussianBlur(photograph, (0, 0), sigma),
        )
print(*sorted(path.name for path in folder.iterdir()), sep="\n")

# %%
# Score the folder
# ----------------
#
# On the command line one command scores a folder of any size and writes a table::
#
#     edgekit score photos/ -o scores.csv
#
# ``ek.score_files`` returns the same rows in Python.
rows = ek.score_files(folder)
for row in sorted(rows, key=lambda row: row["score"], reverse=True):
    verdict = "blurred" if row["blurred"] else ""
    print(
        f"{row['score']:.2f}  blur {row['blur_px']:3.1f} px  {verdict:7}  {Path(row['path']).name}"
    )

# %%
# The score is the probability that a person calls the photograph sharp when it fills a screen. Below 0.5 the column
# ``blurred`` is true. The photograph of the cat is slightly blurred itself. The score of the darkened photograph
# shows that the exposure has hardly any effect.
#
# Look at uncertain photographs
# -----------------------------
#
# Scores near 0.5 are uncertain. A map of the local sharpness shows *where* a photograph is sharp. In the photograph of
# the cat the sharpest parts are the muzzle and the forehead.
cat = ek.read_image("samples/chelsea.png")
ek.show(
    cat,
    ek.sharpness_map(cat),
    titles=["chelsea.png", "local sharpness"],
    unit="0 blurred, 1 sharp",
)

# %%
# ``blur_width`` gives numbers for this: the blur of the sharpest part is narrower than that of the whole photograph.
width = ek.blur_width(cat)
print(f"whole photograph: {width.width:.2f} px, sharpest part: {width.sharpest:.2f} px")

# %%
# Move the blurred ones
# ---------------------
#
# One command scores the folder and moves the blurred photographs into another one::
#
#     edgekit score photos/ --move-blurred blurred/
#
# A log in that folder lists what was moved. The same command runs here from Python.
blurred = folder.with_name(f"{folder.name}-blurred")


def edgekit(*arguments):
    """Run a command of edgekit."""
    subprocess.run([sys.executable, "-m", "edgekit", *arguments, "-q"], check=True)


edgekit("score", folder, "--move-blurred", blurred, "-o", blurred / "scores.csv")
print("sharp:  ", *sorted(path.name for path in folder.iterdir()))
print("blurred:", *sorted(path.name for path in blurred.glob("*.png")))

# %%
# ``edgekit undo`` puts all of them back.
edgekit("undo", blurred)
print(*sorted(path.name for path in folder.iterdir()), sep="\n")

# %%
# With the extra ``report``, ``edgekit score photos/ --report review/`` writes a web page with thumbnails, a histogram
# and an adjustable threshold. ``edgekit score --threshold auto`` finds the gap between two groups of scores.
shutil.rmtree(folder)
shutil.rmtree(blurred, ignore_errors=True)
