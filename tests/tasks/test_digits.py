from dataclasses import replace

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, FewShotDigits, Split
from evodev.tasks.base import some_of

IMAGES, DIGITS = load_digits(return_X_y=True)
DIGIT_OF = {image.astype(np.float32).tobytes(): int(digit) for image, digit in zip(IMAGES / 16.0, DIGITS, strict=True)}
PLAIN = FewShotDigits(canvas=8, shift=False, rotations=(0,), ways=4, shots=3, probes=2)


def _images(task: FewShotDigits, split: Split, lives: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """All images (lives, examples, side, side) of some lives, and their labels."""
    life = sample_lives(task, split, lives, key=jax.random.key(0))
    inputs = np.asarray(life.inputs).reshape(lives, -1, task.canvas, task.canvas)
    images = np.concatenate([inputs, life.probe_inputs], axis=1)
    return images, np.concatenate([np.asarray(life.targets).reshape(lives, -1), life.probe_targets], axis=1)


@pytest.fixture(scope="module")
def plain() -> dict[Split, tuple[np.ndarray, np.ndarray]]:
    return {split: _images(PLAIN, split) for split in SPLITS}


def test_train_and_validation_share_no_image_and_test_shares_no_class(plain) -> None:
    seen = {split: {image.tobytes() for image in images.reshape(-1, 64)} for split, (images, _) in plain.items()}
    digits = {split: {DIGIT_OF[image] for image in own} for split, own in seen.items()}
    assert not seen["train"] & seen["validation"]
    assert digits == {"train": set(range(6)), "validation": set(range(6)), "test": {6, 7, 8, 9}}


def test_held_out_digits_make_up_validation_and_nothing_else() -> None:
    folded = PLAIN.folded()
    assert folded == PLAIN  # four ways of six digits leave no life of other digits
    task = replace(PLAIN, ways=2).folded()
    assert task.fold == (4, 5)
    assert task.folded() == task
    digits, images = {}, {}
    for split in SPLITS:
        images[split] = {image.tobytes() for image in _images(task, split)[0].reshape(-1, 64)}
        digits[split] = {DIGIT_OF[image] for image in images[split]}
    assert digits == {"train": {0, 1, 2, 3}, "validation": {4, 5}, "test": {6, 7, 8, 9}}
    # images of theirs that would have been trained on, too
    trained = {image.tobytes() for image in _images(replace(PLAIN, ways=2), "train")[0].reshape(-1, 64)}
    assert images["validation"] & trained
    assert FewShotDigits().folded().fold == (3, 4, 5)  # six classes, in two rotations, for five ways


def test_a_label_means_one_class_in_a_life_and_another_in_the_next(plain) -> None:
    for images, labels in plain.values():
        meanings = []
        for own_images, own_labels in zip(images, labels, strict=True):
            digits = np.array([DIGIT_OF[image.tobytes()] for image in own_images.reshape(-1, 64)])
            meaning = tuple(set(digits[own_labels == label]) for label in range(4))
            assert all(len(digit) == 1 for digit in meaning)
            assert len(set.union(*meaning)) == 4
            meanings.append(tuple(min(digit) for digit in meaning))
        assert len(set(meanings)) > 10


def test_every_step_shows_one_example_of_every_class() -> None:
    life = PLAIN.sample("train", key=jax.random.key(0))
    assert (np.sort(life.targets, axis=1) == np.arange(4)).all()


def test_a_class_is_a_digit_in_one_rotation() -> None:
    turned, _ = _images(FewShotDigits(canvas=8, shift=False, rotations=(1,), ways=4, shots=2, probes=1), "test", lives=5)
    upright = np.rot90(turned, -1, axes=(2, 3))
    assert {DIGIT_OF[np.ascontiguousarray(image).tobytes()] for image in upright.reshape(-1, 64)} <= {6, 7, 8, 9}


def test_a_digit_is_shifted_whole_over_the_canvas() -> None:
    images, _ = _images(FewShotDigits(canvas=11, rotations=(0,), ways=2, shots=3, probes=2), "train", lives=60)
    corners = set()
    for image in images.reshape(-1, 11, 11):
        places = [(r, c) for r in range(4) for c in range(4) if image[r : r + 8, c : c + 8].tobytes() in DIGIT_OF]
        outside = [image.sum() - image[r : r + 8, c : c + 8].sum() for r, c in places]
        assert min(map(abs, outside)) < 1e-4
        corners.add(places[0])
    assert len(corners) == 16


def test_without_shift_a_digit_is_in_the_middle() -> None:
    images, _ = _images(FewShotDigits(canvas=10, shift=False, rotations=(0,), ways=2, shots=1, probes=1), "train", lives=3)
    assert all(image[1:9, 1:9].tobytes() in DIGIT_OF for image in images.reshape(-1, 10, 10))


def test_a_fold_holds_digits_out_for_validation_and_gives_training_all_images_of_the_others() -> None:
    task = FewShotDigits(canvas=8, shift=False, rotations=(0,), ways=2, shots=3, probes=2, fold=(1, 4))
    seen = {split: {image.tobytes() for image in _images(task, split, 400)[0].reshape(-1, 64)} for split in SPLITS}
    assert {split: {DIGIT_OF[image] for image in own} for split, own in seen.items()} == {
        "train": {0, 2, 3, 5}, "validation": {1, 4}, "test": {6, 7, 8, 9},
    }  # fmt: skip
    without = {image.tobytes() for image in _images(replace(task, fold=()), "validation", 400)[0].reshape(-1, 64)}
    assert seen["train"] & without
    assert "unseen classes (digits 1, 4)" in task.held_out


def test_a_digit_may_be_larger_and_stays_the_same_digit() -> None:
    lives = [FewShotDigits(size=size, shift=False).sample("test", key=jax.random.key(0)).inputs[0] for size in (8, 12)]
    small = np.asarray(lives[0])[:, 2:10, 2:10]
    large = np.asarray(lives[1])
    np.testing.assert_allclose(large, jax.image.resize(small, (5, 12, 12), "linear"), atol=1e-6)
    assert np.asarray(lives[0])[:, :2].max() == 0 < large[:, :2].max()
    with pytest.raises(ValueError, match="canvas must be at least 13, the side of a digit; given 12"):
        FewShotDigits(size=13)


def test_fewer_classes_are_trained_on_and_another_subset_is_of_others() -> None:
    plain = FewShotDigits(canvas=8, shift=False, rotations=(0,), ways=2, shots=1, probes=1, classes=2)
    for subset in (0, 1):
        images, _ = _images(replace(plain, subset=subset), "train", 20)
        assert {DIGIT_OF[image.tobytes()] for image in images.reshape(-1, 64)} == set(some_of(6, 2, subset).tolist())
    assert set(some_of(6, 2, 0)) != set(some_of(6, 2, 1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"canvas": 7}, "canvas must be at least 8, the side of a digit; given 7"),
        ({"rotations": (0, 0)}, "rotations must be different quarter turns"),
        ({"rotations": (0, 4)}, "rotations must be different quarter turns"),
        ({"rotations": ()}, "rotations must be different quarter turns"),
        ({"ways": 9}, r"ways must be from 2 to 8, the classes of the smallest family \(4 test digits x 2 rotations\); given 9"),
        ({"ways": 1}, "ways must be from 2 to 8"),
        ({"rotations": (0,), "ways": 5}, "ways must be from 2 to 4"),
        ({"fold": (6,)}, "fold must be some of the digits 0-5, not all"),
        ({"fold": (5,)}, r"ways must be from 2 to 2, .* \(1 validation digits x 2 rotations\); given 5"),
        ({"fold": (1, 7)}, "fold must be some of the digits 0-5, not all"),
        ({"fold": tuple(range(6))}, "fold must be some of the digits 0-5, not all"),
        ({"fold": (4, 5), "rotations": (0, 1)}, r"ways must be from 2 to 4, .*2 validation digits x 2 rotations"),
        ({"classes": 13}, "classes must be from 2 to 12, those to train on; given 13"),
        ({"classes": 4}, "ways must be from 2 to 4, the classes to train on; given 5"),
        ({"shots": 0}, "shots must be at least 1"),
        ({"probes": 0}, "probes must be at least 1"),
        ({"shots": 100}, r"shots \+ probes must be at most \d+, the images of the rarest digit; given 100 \+ 8"),
    ],
)
def test_impossible_settings_are_refused_by_field(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FewShotDigits(**fields)
