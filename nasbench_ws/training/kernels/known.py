"""Which networks the compiled kernels know: they trust every number of their plan, so it is checked before.

    check_network(network)          # UsageError for an operation of another kernel, or an input that is not there
"""

from __future__ import annotations

from nasbench_ws.errors import UsageError
from nasbench_ws.space.blocks import IMAGE, Block, Inputs, Network


def knows(network: Network[int]) -> bool:
    """Whether the kernels know every block."""
    try:
        check_network(network)
    except UsageError:
        return False
    return True


def check_network(network: Network[int]) -> None:
    """UsageError for a network that the kernels do not know: they trust every number of their plan."""
    channels: list[int] = []
    size = network.heads[0].height, network.heads[0].width
    for number, block in enumerate(network.blocks):
        if block.module is not None:
            raise UsageError(
                f"the compiled kernels do not know block {number}, a torch module of the operation "
                f"{block.module.operation}; give SuperNet(backend=TORCH), of nasbench_ws.training.reference"
            )
        _check_inputs(f"block {number}", block.inputs, block.in_channels, channels)
        shapes = (block.kernel in (0, 3, 5)) and block.dilation in (1, 2) and block.conv_kernel in (0, 1, 3)
        shapes = shapes and block.pool in ("", "max", "average")
        fits = (block.height, block.width) == size and min(size) > 0
        divided = block.groups > 0 and not block.in_channels % block.groups and not block.out_channels % block.groups
        layers = (
            (block.pool and not block.kernel and not block.conv_kernel and block.in_channels == block.out_channels)
            or (not block.pool and block.kernel > 0 and block.conv_kernel == 1)
            or (not block.pool and not block.kernel and block.conv_kernel > 0)
        )
        given = (block.depthwise is None) == (not block.kernel) and (block.conv is None) == (not block.conv_kernel)
        if not (shapes and fits and divided and layers and given):
            raise UsageError(
                f"the compiled kernels do not know block {number}, {_in_words(block)}: they know max and "
                "average pooling 3x3, depthwise 3x3 or 5x5 of dilation 1 or 2 followed by a convolution 1x1, and "
                f"convolutions 1x1 or 3x3 in groups that divide the channels, at {size[0]}x{size[1]}; give "
                "SuperNet(backend=TORCH), of nasbench_ws.training.reference"
            )
        channels.append(block.out_channels)
    for number, head in enumerate(network.heads):
        _check_inputs(f"head {number}", head.inputs, head.channels, channels, image=False)
        if (head.height, head.width) != size or head.classes != network.heads[0].classes or head.classes < 1:
            raise UsageError(f"the compiled kernels do not know head {number}: all heads have one size and classes")
    inputs = [*(block.inputs for block in network.blocks), *(head.inputs for head in network.heads)]
    read = {term for groups in inputs for group in groups for term in group}
    for number in set(range(len(channels))) - read:
        raise UsageError(f"block {number} is read by no block and no head: leave it out")
    for number, block in enumerate(network.blocks):
        if not any(block.inputs):
            raise UsageError(f"block {number} reads the sum of nothing, which is zeros, as what it makes: leave it out")


def _in_words(block: Block[int]) -> str:
    return (
        f"kernel {block.kernel}, dilation {block.dilation}, conv_kernel {block.conv_kernel}, groups {block.groups}, "
        f"pool {block.pool or 'none'}, {block.in_channels} to {block.out_channels} channels at "
        f"{block.height}x{block.width}"
    )


def _check_inputs(what: str, inputs: Inputs, width: int, channels: list[int], image: bool = True) -> None:
    if image and inputs == ((IMAGE,),) and width > 0:
        return
    terms = [term for group in inputs for term in group]
    if not (inputs and all(0 <= term < len(channels) for term in terms)):
        raise UsageError(f"{what} reads {inputs}: it may read blocks before it, or the image ({IMAGE}) alone")
    if any(channels[term] * len(inputs) != width for term in terms) or width % len(inputs):
        raise UsageError(f"{what} takes {width} channels, and reads {[channels[term] for term in terms]} of {inputs}")
