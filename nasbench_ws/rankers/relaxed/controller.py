"""ENAS's controller: an LSTM that gives an edge's operations probabilities, given the operations of the edges before.

    controller = Controller(run, scale=2.5, temperature=5.0)
    controller(torch.from_numpy(run.choices))           # log-probabilities (n, edges, operations)

Weights begin uniform in +-.1, an operation's drawn by its name. Not here: how it learns (enas.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasbench_ws.rankers.run import Run

UNITS = 64


class Controller(nn.Module):
    """`forward` gives log-probabilities (n, edges, operations) of each edge given the choices (n, edges) before it."""

    def __init__(self, run: Run, scale: float, temperature: float) -> None:
        super().__init__()
        self.scale, self.temperature, names = scale, temperature, run.space.operations

        def drawn(purpose: str, *shape: int) -> nn.Parameter:
            rng = np.random.Generator(np.random.PCG64(run.derived(f"controller {purpose}")))
            return nn.Parameter(torch.from_numpy(rng.uniform(-0.1, 0.1, shape)))

        skip: Any = nn.utils.skip_init  # global randomness is nobody's here
        self.cell = skip(nn.LSTMCell, UNITS, UNITS, dtype=torch.float64)
        for name, parameter in list(self.cell.named_parameters()):
            setattr(self.cell, name, drawn(name, *parameter.shape))
        self.begin = drawn("begin", UNITS)
        self.embedding = nn.Parameter(torch.stack([drawn(f"embedding {name}", UNITS).data for name in names]))
        self.head = nn.Parameter(torch.stack([drawn(f"head {name}", UNITS).data for name in names]))

    def forward(self, choices: Tensor) -> Tensor:
        state, logs = None, []
        given = self.begin.expand(len(choices), -1)
        for edge in range(choices.shape[1]):
            state = self.cell(given, state)
            logits = self.scale * torch.tanh(state[0] @ self.head.T / self.temperature)
            logs.append(torch.log_softmax(logits, dim=1))
            given = self.embedding[choices[:, edge]]
        return torch.stack(logs, dim=1)
