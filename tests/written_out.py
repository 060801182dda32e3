"""One child as plain `torch.nn` modules, written from the paper's description.

Nothing of the package's networks is used but the names of the slots, so that it is an independent reference for the
module of the package, and with it for all that is compared with that.

    child = WrittenOut(SMALL, DEEPER64.architecture("124")).load(weights, number)
    child(pixels)                        # (B, C, H, W) -> (B, classes)
"""

from __future__ import annotations

import torch
from torch import nn

from nasbench_ws.space.blocks import Slot
from nasbench_ws.space.cell import Architecture
from nasbench_ws.space.macro import Macro
from nasbench_ws.training.weights import Weights


class WrittenOut(nn.Module):
    """`at` holds every module that has weights or statistics by its slot."""

    def __init__(self, macro: Macro, arch: Architecture) -> None:
        super().__init__()
        self.macro, self.arch = macro, arch
        self.at: dict[Slot, nn.Module] = {}
        layers: list[nn.Module] = []
        channels = macro.image_channels
        for layer, width in enumerate(macro.stem):
            conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            layers += [conv, self._norm(Slot(0, "stem", None, None, layer, "bn"), width, affine=True)]
            self.at[Slot(0, "stem", None, None, layer, "conv")] = conv
            channels = width
        self.stem = nn.Sequential(*layers)
        self.cells = nn.ModuleList()
        for cell in range(1, macro.cells + 1):
            where = Slot(cell, "preprocess", None, None, 0, "pointwise")
            modules = {"pre": self._unit(where, channels, 0, 1)}
            for edge in arch.space.edges:
                modules[_name(edge)] = self._operation(cell, edge, arch.operation(edge))
            self.cells.append(nn.ModuleDict(modules))
            channels = macro.channels * (arch.space.nodes if macro.output == "concat" else 1)
        self.classifier = nn.Linear(channels, macro.classes)
        self.at[Slot(macro.cells + 1, "classifier", None, None, 0, "linear")] = self.classifier

    def _norm(self, slot: Slot, channels: int, affine: bool = False) -> nn.BatchNorm2d:
        norm = nn.BatchNorm2d(channels, eps=self.macro.bn_eps, momentum=self.macro.bn_momentum, affine=affine)
        self.at[slot] = norm
        return norm

    def _unit(self, where: Slot, channels: int, kernel: int, dilation: int) -> nn.Sequential:
        layers: list[nn.Module] = [nn.ReLU()]
        if kernel:
            reach = dilation * (kernel - 1) // 2
            depthwise = nn.Conv2d(
                channels, channels, kernel, padding=reach, dilation=dilation, groups=channels, bias=False
            )
            self.at[where._replace(kind="depthwise")] = depthwise
            layers.append(depthwise)
        pointwise = nn.Conv2d(channels, self.macro.channels, 1, bias=False)
        self.at[where._replace(kind="pointwise")] = pointwise
        return nn.Sequential(*layers, pointwise, self._norm(where._replace(kind="bn"), self.macro.channels))

    def _operation(self, cell: int, edge: tuple[int, int], operation: str) -> nn.Sequential:
        where, c = Slot(cell, "edge", edge, operation, 0, "bn"), self.macro.channels
        if operation == "none":
            return Zeros()
        if operation == "skip_connect":
            return nn.Identity()
        if operation == "max_pool_3x3":
            return nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), self._norm(where, c))
        if operation == "avg_pool_3x3":
            return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), self._norm(where, c))
        if operation == "dil_conv_5x5":
            return self._unit(where, c, self.macro.dilated_kernel, 2)
        if operation == "dil_conv_3x3":
            return self._unit(where, c, 3, 2)
        if operation in ("conv_1x1", "nor_conv_1x1"):
            return self._unit(where, c, 0, 1)
        if operation in ("conv_3x3", "nor_conv_3x3", "group_conv"):
            conv = nn.Conv2d(c, c, 3, padding=1, groups=c // 4 if operation == "group_conv" else 1, bias=False)
            self.at[where._replace(kind="conv")] = conv
            return nn.Sequential(nn.ReLU(), conv, self._norm(where, c))
        kernel = {"sep_conv_3x3": 3, "sep_conv_5x5": 5}[operation]
        return nn.Sequential(*(self._unit(where._replace(layer=layer), c, kernel, 1) for layer in (0, 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)  # (B, C, H, W)
        for cell in self.cells:
            nodes = [cell["pre"](x)]
            for target in range(1, self.arch.space.nodes + 1):
                terms = [cell[_name((source, target))](nodes[source]) for source in range(target)]
                nodes.append(sum(terms[1:], start=terms[0]))
            outputs = nodes[1:] if self.macro.output != "last" else nodes[-1:]
            x = torch.cat(outputs, dim=1) if self.macro.output == "concat" else sum(outputs[1:], start=outputs[0])
        return self.classifier(x.mean(dim=(2, 3)))

    def pairs(self, weights: Weights, vector: torch.Tensor, number: int) -> list[tuple[nn.Parameter, torch.Tensor]]:
        """Each parameter beside the part of a flat vector of the super-net that belongs to it, in its shape."""
        has = self._has(weights, number)
        return [
            (parameter, view.view(parameter.shape))
            for slot, module in self.at.items()
            if slot in has
            for parameter, view in zip(
                module.parameters(), weights.views(vector, weights.number(number, slot)), strict=True
            )
        ]

    def _has(self, weights: Weights, number: int) -> set[Slot]:
        """Layers that the suite gives the child: what works on zeros alone is here, and not there."""
        return {storage.slot for storage in weights.storages if number in storage.children}

    @torch.no_grad()
    def load(self, weights: Weights, number: int) -> WrittenOut:
        """Take the parameters and running statistics that child `number` of a super-net uses."""
        self.to(weights.dtype)
        for parameter, view in self.pairs(weights, weights.values, number):
            parameter.copy_(view)
        has = self._has(weights, number)
        for slot, norm in self.at.items():
            if isinstance(norm, nn.BatchNorm2d) and slot in has:
                storage = weights.storages[weights.number(number, slot)]
                where = slice(storage.stats_offset, storage.stats_offset + storage.channels)
                norm.running_mean.copy_(weights.running_mean[where])
                norm.running_var.copy_(weights.running_var[where])
        return self


class Zeros(nn.Module):
    """The operation `none`: zeros, which is what the absence of its edge comes to."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


def _name(edge: tuple[int, int]) -> str:
    return f"{edge[0]}to{edge[1]}"
