"""Depthwise convolutions of many runs on a CUDA device: torch's own take two fifths of a step in lockstep there.

    y = depthwise(x, weight, dilation)          # F.conv2d(x, weight, padding=..., dilation=..., groups=channels)

One program of Triton's computes a plane (one channel of one image), with as many zeros around it as keep its size; the
gradient by the input is the same with the taps in reverse, and that by a weight is a program for a row of taps. Triton
comes with torch for CUDA; without it torch's own are taken (training/lockstep.py).
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

WARPS = 2  # of a plane of 196 values


@triton.jit  # type: ignore[untyped-decorator]
def _convolve(  # type: ignore[no-untyped-def]
    x, weight, out, channels, height: tl.constexpr, width: tl.constexpr, kernel: tl.constexpr, dilation: tl.constexpr,
    back: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    plane = tl.program_id(0).to(tl.int64)
    taps = weight + (plane % channels) * (kernel * kernel)
    at = tl.arange(0, block)
    row, column, inside = at // width, at % width, at < height * width
    total = tl.zeros([block], dtype=out.dtype.element_ty)
    for i in tl.static_range(kernel):
        for j in tl.static_range(kernel):
            y, z = row + (i - kernel // 2) * dilation, column + (j - kernel // 2) * dilation
            there = inside & (y >= 0) & (y < height) & (z >= 0) & (z < width)
            tap = tl.load(taps + (kernel * kernel - 1 - i * kernel - j if back else i * kernel + j))
            total += tap * tl.load(x + plane * (height * width) + y * width + z, mask=there, other=0.0)
    tl.store(out + plane * (height * width) + at, total, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _by_weight(  # type: ignore[no-untyped-def]
    x, gradient, out, images, channels, height: tl.constexpr, width: tl.constexpr, kernel: tl.constexpr,
    dilation: tl.constexpr, block: tl.constexpr, padded: tl.constexpr,
):  # fmt: skip
    channel, i = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at, j = tl.arange(0, block)[:, None], tl.arange(0, padded)[None, :]
    y, z = at // width + (i - kernel // 2) * dilation, at % width + (j - kernel // 2) * dilation
    inside = at < height * width
    there = inside & (y >= 0) & (y < height) & (z >= 0) & (z < width) & (j < kernel)
    total = tl.zeros([block, padded], dtype=out.dtype.element_ty)
    for image in range(images):
        plane = (image * channels + channel) * (height * width)
        total += tl.load(gradient + plane + at, mask=inside, other=0.0) * tl.load(
            x + plane + y * width + z, mask=there, other=0.0
        )
    j = tl.arange(0, padded)
    tl.store(out + channel * (kernel * kernel) + i * kernel + j, tl.sum(total, axis=0), mask=j < kernel)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.dilation = dilation
        ctx.save_for_backward(x, weight)
        return _convolved(x, weight, dilation, back=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        count, channels, height, width = x.shape
        kernel, out = weight.shape[-1], torch.empty_like(weight)
        _by_weight[(channels, kernel)](
            x, gradient, out, count, channels, height, width, kernel, ctx.dilation,
            triton.next_power_of_2(height * width), triton.next_power_of_2(kernel), num_warps=2 * WARPS,
        )  # fmt: skip
        by_input = _convolved(gradient, weight, ctx.dilation, back=True) if ctx.needs_input_grad[0] else None
        return by_input, out, None


def _convolved(x: Tensor, weight: Tensor, dilation: int, back: bool) -> Tensor:
    count, channels, height, width = x.shape
    out = torch.empty_like(x)
    _convolve[(count * channels,)](
        x, weight, out, channels, height, width, weight.shape[-1], dilation, back,
        triton.next_power_of_2(height * width), num_warps=WARPS,
    )  # fmt: skip
    return out


def depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Each channel with its own taps, zeros around it, in the size that it has; in its dtype throughout.

    Args:
        x: (images, channels, height, width), on a CUDA device.
        weight: (channels, 1, kernel, kernel); an odd kernel.
        dilation: of the taps.
    """
    result: Tensor = _Depthwise.apply(x.contiguous(), weight.contiguous(), dilation)
    return result
