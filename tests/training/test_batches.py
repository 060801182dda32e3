"""Training batches, against a slow reference that pads, crops and flips one image at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from nasbench_ws.errors import UsageError
from nasbench_ws.images.dataset import Split
from nasbench_ws.training.batches import Augmentation, Batches, normalised


def make_split(n: int = 23, height: int = 5, width: int = 7, channels: int = 3) -> Split:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (n, height, width, channels), dtype=np.uint8)
    return Split(pixels, np.arange(n))  # an image's label is its index


def make_batches(split: Split, batch_size: int = 4, augmentation: Augmentation | None = None, order: int = 11,
                 augment: int = 12, dtype: torch.dtype = torch.float32) -> Batches:  # fmt: skip
    channels = split.pixels.shape[3]
    mean, std = (0.2, 0.3, 0.4)[:channels], (0.5, 0.6, 0.7)[:channels]
    return Batches(split, batch_size, augmentation or Augmentation(), mean, std, order, augment, dtype)


def take(batches: Batches, n: int) -> list[tuple[Tensor, Tensor]]:
    return list(itertools.islice(batches, n))


@pytest.mark.parametrize(
    "augmentation", [Augmentation(), Augmentation(True, 3), Augmentation(False, 2), Augmentation(True, 0)]
)
@pytest.mark.parametrize("shape", [(23, 5, 7, 3), (12, 4, 4, 1), (9, 3, 1, 1)])
@pytest.mark.parametrize(("batch_size", "fast"), [(1, True), (4, True), (4, False)])
def test_batches_are_those_of_the_reference(
    augmentation: Augmentation, shape: tuple[int, ...], batch_size: int, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference draws batch by batch: what is drawn, or gathered, at once cannot change a value."""
    if not fast:
        monkeypatch.setattr("nasbench_ws.training.kernels.library.available", lambda: False)
    split = make_split(*shape)
    n, height, width, channels = shape
    order_draws, augment_draws = torch.Generator().manual_seed(11), torch.Generator().manual_seed(12)
    batches = make_batches(split, batch_size, augmentation)
    shift, side = augmentation.shift, 2 * augmentation.shift + 1
    for _ in range(3):
        order = torch.randperm(n, generator=order_draws).tolist()
        for start in range(0, n - batch_size + 1, batch_size):
            pixels, labels = next(batches)
            chosen = order[start : start + batch_size]
            assert labels.tolist() == chosen
            bound = side * side * (2 if augmentation.flip else 1)
            draws = torch.randint(bound, (batch_size,), generator=augment_draws).tolist()
            expected = np.empty((batch_size, height, width, channels), np.uint8)
            for i, (image, draw) in enumerate(zip(chosen, draws, strict=True)):
                flip, crop = divmod(draw, side * side)
                top, left = divmod(crop, side)
                padded = np.zeros((height + 2 * shift, width + 2 * shift, channels), np.uint8)
                padded[shift : shift + height, shift : shift + width] = split.pixels[image]
                cropped = padded[top : top + height, left : left + width]
                expected[i] = cropped[:, ::-1] if flip else cropped
            mean, std = (0.2, 0.3, 0.4)[:channels], (0.5, 0.6, 0.7)[:channels]
            assert torch.equal(pixels, normalised(expected, mean, std))
            assert labels.dtype == torch.int64


def test_normalised_is_the_formula() -> None:
    split = make_split()
    mean, std = (0.2, 0.3, 0.4), (0.5, 0.6, 0.7)
    exact = (split.pixels / 255 - np.array(mean)) / np.array(std)
    for dtype, tolerance in ((torch.float64, 1e-15), (torch.float32, 3e-7)):
        result = normalised(split.pixels, mean, std, dtype)
        assert result.dtype == dtype
        assert result.is_contiguous()
        np.testing.assert_allclose(result.numpy(), exact, rtol=0, atol=tolerance * 3)
    one_by_one = torch.cat([normalised(split.pixels[i : i + 1], mean, std) for i in range(len(split))])
    assert torch.equal(one_by_one, normalised(split.pixels, mean, std))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_augmentation_a_batch_is_normalised_pixels_bit_for_bit(dtype: torch.dtype) -> None:
    split = make_split()
    whole = normalised(split.pixels, (0.2, 0.3, 0.4), (0.5, 0.6, 0.7), dtype)
    for pixels, labels in take(make_batches(split, 4, Augmentation(flip=False, shift=0), dtype=dtype), 12):
        assert pixels.dtype == dtype
        assert pixels.is_contiguous()
        assert torch.equal(pixels, whole[labels])


def test_order_and_augmentation_do_not_depend_on_each_other() -> None:
    split = make_split()

    def labels(**changes: object) -> list[int]:
        return [label for _, batch in take(make_batches(split, **changes), 20) for label in batch.tolist()]  # type: ignore[arg-type]

    assert labels() == labels(augment=99) == labels(augmentation=Augmentation(False, 0))
    assert labels() != labels(order=99)
    same = Split(np.repeat(split.pixels[:1], 23, axis=0), split.labels)  # every image alike: order cannot show
    first, second = take(make_batches(same), 20), take(make_batches(same, order=99), 20)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, second, strict=True))
    other = take(make_batches(same, augment=99), 20)
    assert any(not torch.equal(a, b) for (a, _), (b, _) in zip(first, other, strict=True))


def test_an_epoch_visits_images_once_drops_the_tail_and_reshuffles() -> None:
    batches = make_batches(make_split(), 5)
    assert batches.batches_per_epoch == 4
    epochs = [torch.cat([labels for _, labels in take(batches, 4)]).tolist() for _ in range(3)]
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_every_crop_and_flip_is_equally_likely() -> None:
    marked = np.zeros((1000, 5, 5, 1), np.uint8)
    marked[:, 2, 1] = 255  # one bright pixel, off the middle, names its crop and its flip
    batches = Batches(Split(marked, np.zeros(1000, np.int64)), 1000, Augmentation(True, 1), (0.0,), (1.0,), 1, 2)
    counts: dict[tuple[int, ...], int] = {}
    for pixels, _ in take(batches, 18):
        for place in torch.nonzero(pixels[..., 0])[:, 1:].tolist():
            counts[tuple(place)] = counts.get(tuple(place), 0) + 1
    # Columns 0 to 2 unflipped and 2 to 4 flipped: column 2 is reached both ways.
    expected = {(row, column): 2000 if column == 2 else 1000 for row in (1, 2, 3) for column in range(5)}
    assert counts.keys() == expected.keys()
    assert all(abs(counts[place] - n) < 5 * n**0.5 for place, n in expected.items())


def test_nothing_outside_the_stream_changes() -> None:
    split = make_split()
    before = split.pixels.copy(), torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    pixels, _ = next(batches := make_batches(split, augmentation=Augmentation(True, 0)))
    kept = pixels.clone()
    pixels.add_(1)  # a caller may write into a batch
    take(batches, 20)
    assert torch.equal(pixels, kept + 1)
    assert np.array_equal(split.pixels, before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.array_equal(np.random.get_state()[1], before[2])  # type: ignore[index]


@pytest.mark.parametrize("batch_size", [0, 24])
def test_a_batch_size_that_cannot_be(batch_size: int) -> None:
    with pytest.raises(UsageError) as error:
        make_batches(make_split(), batch_size)
    assert str(error.value) == f"a batch of {batch_size} from 23 images: it has 1 to 23"


def test_other_arguments_that_cannot_be() -> None:
    with pytest.raises(UsageError) as error:
        Augmentation(shift=-1)
    assert str(error.value) == "a shift of -1 pixels: it is 0 (none) or more"
    for std in ((0.5,), (0.5, 0.6, 0.0)):
        with pytest.raises(UsageError) as error:
            normalised(make_split().pixels, (0.2, 0.3, 0.4), std)
        assert str(error.value) == (
            f"mean (0.2, 0.3, 0.4) and std {std} for 3 channels: give one of each for every channel, with std above 0"
        )
