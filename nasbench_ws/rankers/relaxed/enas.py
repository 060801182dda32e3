"""ENAS: a controller writes children edge after edge, and learns by REINFORCE from their accuracy on shared weights.

Pham, Guan, Zoph, Le, Dean: Efficient Neural Architecture Search via Parameter Sharing (ICML 2018). One LSTM layer of 64
units; logits are c tanh(W h / T). 56 weight steps of drawn children, then 60 samples: R = accuracy on a held-back batch
+ 1e-4 entropy, b <- b - .01 (b - R), loss = -log pi(a) (R - b), one Adam step for ten samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.rankers.relaxed.controller import Controller
from nasbench_ws.rankers.relaxed.gates import Adam
from nasbench_ws.rankers.run import Run

AUTHORS = Adam(lr=0.0035, updates=4_500, betas=(0.0, 0.999), decay=0.0, clip=5.0)  # 150 epochs of 30
STEPS, SAMPLES, TOGETHER = 56, 60, 10
ENTROPY, BASELINE = 1e-4, 0.99


@dataclass
class Enas:
    """`micro` is the authors' range of logits, c = .44; else c = 2.5 and T = 5. `lr` 0: the authors', scaled."""

    micro: bool = False
    lr: float = 0.0
    hold: ClassVar[float] = 0.1
    readouts: ClassVar[tuple[str, ...]] = ("logp", "onehot", "sampled:10")

    def start(self, run: Run) -> None:
        self.controller = Controller(run, *((1.10 / 2.5, 1.0) if self.micro else (2.5, 5.0)))
        here = run.updates(STEPS + SAMPLES / 3) * (SAMPLES // TOGETHER)
        rate = self.lr or AUTHORS.scaled(here)
        self._adam = torch.optim.Adam(self.controller.parameters(), rate, AUTHORS.betas, eps=1e-3)
        self._steps, self._baseline = 0, math.nan

    def iterate(self, run: Run) -> None:
        run.child_step(run.weight_batch(), self.sample(run))
        self._steps += 1
        if self._steps == STEPS:
            self._steps = 0
            for _ in range(SAMPLES // TOGETHER):
                self._learn(run)

    @torch.no_grad()
    def sample(self, run: Run) -> NDArray[np.int64]:
        """A child (edges,)."""
        noise, choices = run.gumbel(), torch.zeros((1, run.net.shape[0]), dtype=torch.int64)
        for edge in range(run.net.shape[0]):
            logs = self.controller(choices)[0, edge].numpy()
            choices[0, edge] = int(np.argmax(logs + noise[edge]))
        chosen: NDArray[np.int64] = choices[0].numpy()
        return chosen

    def _learn(self, run: Run) -> None:
        drawn = np.stack([self.sample(run) for _ in range(TOGETHER)])
        logs = self.controller(torch.from_numpy(drawn))
        own = logs.gather(2, torch.from_numpy(drawn)[:, :, None]).sum(dim=(1, 2))
        entropies = -(logs.detach().exp() * logs.detach()).sum(dim=(1, 2))
        advantages = []
        for choices, entropy in zip(drawn, entropies.tolist(), strict=True):
            reward = run.child_accuracy(run.gate_batch(), choices) + ENTROPY * entropy
            start = math.isnan(self._baseline)
            self._baseline = reward if start else self._baseline - (1 - BASELINE) * (self._baseline - reward)
            advantages.append(reward - self._baseline)
        loss = -(own * torch.tensor(advantages, dtype=torch.float64)).mean()
        self._adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.controller.parameters(), AUTHORS.clip)
        self._adam.step()
        run.meter.gate_steps += 1

    @torch.no_grad()
    def log_probabilities(self, run: Run) -> Array:
        """(n,) of all children."""
        choices = torch.from_numpy(run.choices)
        found: Array = self.controller(choices).gather(2, choices[:, :, None]).sum(dim=(1, 2)).numpy()
        return found
