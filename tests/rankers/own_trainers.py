"""Trainers of a user's own, each in under 25 lines: what docs/own-trainer.md shows, and tests run."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from nasbench_ws.training.module import loader


class Smoothed:
    """Label smoothing."""

    def loss(self, net, child, logits, labels, context):
        return F.cross_entropy(logits, labels, label_smoothing=0.1)


class Distilled:
    """In-place distillation: all but the largest child learn what that one says (BigNAS; Yu et al. 2020)."""

    def loss(self, net, child, logits, labels, context):
        if child == net.largest:
            return F.cross_entropy(logits, labels)
        teacher = net.logits(net.largest, context.images)
        return F.kl_div(F.log_softmax(logits, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")


class Surgery:
    """PCGrad: each gradient loses what points against another's (Yu et al. 2020); of the children of a fair step."""

    schedule = "fair"

    def start(self, net):
        self.rng = net.rng

    def combine(self, gradients):
        found = gradients.clone()
        for i, own in enumerate(found):
            for j in self.rng.permutation(len(gradients)):
                against = own @ gradients[j]
                if j != i and against < 0:
                    own -= against / gradients[j].square().sum() * gradients[j]
        return found.sum(dim=0)


class Bandit:
    """Children that still learn are trained more often: exponential weights on how much the loss fell (Exp3)."""

    def start(self, net):
        self.rng, self.last, self.gain = net.rng, {}, [0.0] * len(net.children)

    def next_children(self, history):
        if history.step:
            (child,), (loss,) = history.children[-1], history.losses[-1]
            self.gain[child] += 0.1 * max(-1.0, min(1.0, self.last.get(child, loss) - loss))
            self.last[child] = loss
        chances = torch.softmax(torch.tensor(self.gain, dtype=torch.float64), dim=0).numpy()
        return [self.rng.choice(len(self.gain), p=0.5 * chances + 0.5 / len(self.gain))]


class Sandwich:
    """The sandwich rule: the largest, the smallest and two others at every step (Yu and Huang 2019)."""

    width = 4

    def next_children(self, history):
        net = history.net
        return [net.largest, net.smallest, *net.rng.choice(len(net.children), 2, replace=False)]


class Adam:
    """Another optimiser; the recipe's warm-up and cosine scale its rate."""

    def optimiser(self, parameters):
        return torch.optim.Adam(parameters, lr=0.01)


class Generated:
    """A small hypernetwork makes the weights of every convolution from a vector of its own (Ha et al. 2017)."""

    def optimiser(self, parameters):
        return HyperNetwork([one for one in parameters if one.slot.kind in ("conv", "depthwise", "pointwise")])


class HyperNetwork:
    """As an optimiser: the weights' gradient goes through the chain rule to what generates them."""

    def __init__(self, made):
        self.made, self.shared = made, nn.Linear(8, max(one.numel() for one in made), bias=False)
        self.own = nn.Parameter(torch.randn(len(made), 8) / math.sqrt(8))
        self.inner = torch.optim.SGD([self.own, *self.shared.parameters()], lr=0.1, momentum=0.9)
        self.param_groups = self.inner.param_groups
        self.generate()

    def generate(self):
        whole = [self.shared(own)[: one.numel()].view(one.shape) for own, one in zip(self.own, self.made, strict=True)]
        with torch.no_grad():
            for one, weights in zip(self.made, whole, strict=True):
                one.copy_(weights)
        return whole

    def step(self):
        used = [(w, one.grad) for w, one in zip(self.generate(), self.made, strict=True) if one.grad is not None]
        self.inner.zero_grad()
        torch.autograd.backward([w for w, _ in used], [gradient for _, gradient in used])
        self.inner.step()
        self.generate()


class Confident:
    """Trained as `full`; scored by how sure a child is of the classes."""

    def score(self, net, child, images):
        for pixels, _ in loader(images, "valid", 500):
            return F.softmax(net.logits(child, pixels), dim=1).max(dim=1).values.mean()
