"""
A photographer sorts a folder
=============================

A folder has many photographs, and some of them are blurred. This tutorial scores all of them, looks at those
with uncertain scores, and copies the sharp ones.
"""

# %%
# A folder to sort
# ----------------
#
# The samples have only a few photographs. Two blurred copies of each are added, one with a slight and one with a wide
# blur.
import csv
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
# The same command runs here from Python.
table = folder / "scores.csv"
command = [
    sys.executable,
    "-m",
    "edgekit",
    "score",
    folder,
    "-o",
    table,
    "--include",
    "*.png",
    "-q",
]
subprocess.run(command, check=True)
rows = sorted(
    csv.DictReader(table.open()), key=lambda row: float(row["score"]), reverse=True
)
for row in rows:
    score, blur, name = (
        float(row["score"]),
        float(row["blur_px"]),
        Path(row["path"]).name,
    )
    print(
        f"{score:.2f}  blur {blur:3.1f} px  {'blurred' if row['blurred'] == 'true' else '':7}  {name}"
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
# Keep the sharp ones
# -------------------
sharp = folder / "sharp"
sharp.mkdir()
for row in rows:
    if row["blurred"] == "false":
        shutil.copy2(row["path"], sharp)
print(*sorted(path.name for path in sharp.iterdir()), sep="\n")

# %%
# With the extra ``report``, ``edgekit score photos/ --report review/`` writes a web page with thumbnails, a histogram
# and an adjustable threshold. ``edgekit score photos/ --move-blurred blurred/`` moves the blurred files, and
# ``edgekit undo blurred/`` puts them back. ``edgekit score --threshold auto`` finds the gap between two groups of
# scores.
shutil.rmtree(folder)
