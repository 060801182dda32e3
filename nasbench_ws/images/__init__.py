"""Data sets: images in fixed splits under one digest, and where they come from. No training here.

    from nasbench_ws.images import load_images
    load_images("fashion14").train.pixels.shape
"""

from nasbench_ws.images.dataset import Images, Split
from nasbench_ws.images.loaders import load_images

__all__ = ["Images", "Split", "load_images"]
