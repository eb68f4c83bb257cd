"""
An engineer trains with layers and losses
=========================================

Filters as torch layers, a loss on gradients, a learned kernel, an exported graph, and scores of many images joined
to a table. It needs the extra ``torch``; the export needs ``onnx`` and ``onnxscript``.
"""

# %%
# Layers
# ------
#
# A layer of ``edgekit.nn`` is a function of edgekit with fixed options. It accepts any leading dimensions and has
# gradients.
import warnings

import cv2
import pyarrow
import torch

import edgekit as ek

torch.manual_seed(0)
image = (
    torch.from_numpy(ek.read_image("samples/camera.png")[::4, ::4].copy()).float()[
        None, None
    ]
    / 255
)
features = torch.cat(
    [ek.nn.Sobel(angle=angle)(image) for angle in (0, 45, 90, 135)]
    + [ek.nn.Laplacian()(image)],
    dim=1,
)
features.shape

# %%
# A loss on gradients
# -------------------
#
# A mean squared error favours blurred results. ``GradientLoss`` compares gradients, so that edges have more weight. A
# blurred image is optimized until its gradients are those of the original.
original = image[0, 0].numpy()
blurred = torch.from_numpy(cv2.GaussianBlur(original, (0, 0), 1.5))[None, None]
restored = blurred.clone().requires_grad_()
gradient_loss = ek.nn.GradientLoss()
optimizer = torch.optim.Adam([restored], lr=0.01)
for step in range(60):
    loss = gradient_loss(restored, image) + (restored - image).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step:2}: loss {float(loss.detach()):.4f}")

# %%
found = restored.detach()
titles = ["original", "blurred", "optimized", "difference"]
ek.show(
    image[0],
    blurred[0],
    found[0],
    (found - blurred)[0],
    titles=titles,
    unit="gray levels, 1 = white",
    columns=2,
)

# %%
# A learned kernel
# ----------------
#
# ``Filter`` has a learned kernel. If only images before and after a filter are known, ``fit_kernel`` computes the
# kernel directly, with a standard error for each coefficient.
gray = ek.read_image("samples/camera.png")
fit = ek.fit_kernel(gray, ek.sobel(gray, angle=0))
fit

# %%
# Export
# ------
#
# All layers export to ONNX for images of any size.
with warnings.catch_warnings():
    # The exporter issues warnings about parts of torch.
    warnings.simplefilter("ignore")
    program = torch.onnx.export(
        ek.nn.GradientMagnitude(), (image,), dynamo=True, verbose=False
    )
[node.op_type for node in program.model_proto.graph.node]

# %%
# Scores joined to a table
# ------------------------
#
# ``ek.score_files`` scores a list of paths, or a folder of any size, by all processors. Its rows are those of
# ``edgekit score images/ -r -o scores.parquet``. Here they become an Arrow table, which is joined to labels by path.
scores = ek.score_files("samples", include=["c*.png"]).to_arrow()
labels = pyarrow.table(
    {
        "path": ["samples/camera.png", "samples/chelsea.png", "samples/coffee.png"],
        "label": ["person", "cat", "cup"],
    }
)
joined = (
    labels.join(scores, "path")
    .sort_by("path")
    .select(["path", "label", "score", "blur_px"])
)
for row in joined.to_pylist():
    print(
        f"{row['path']:20} {row['label']:7} score {row['score']:.2f}, blur {row['blur_px']:.1f} px"
    )

# %%
# A threshold on the score removes blurred images from a training set. ``edgekit score --fail-below 0.5`` ends with
# status 3 if an image scores less, for a check in continuous integration.
