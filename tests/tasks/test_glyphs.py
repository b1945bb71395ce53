import unicodedata
from itertools import pairwise

import jax
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, FewShotGlyphs, Split
from evodev.tasks.base import some_of
from evodev.tasks.glyphs import bank, faces, letters


def _known(split: Split, pictures: np.ndarray) -> list[int]:
    """Class of each picture (n, side, side), found by its ink in the bank wherever it lies."""
    glyphs, sizes = bank(split, pictures.shape[-1])
    table = {
        glyph[:height, :width].tobytes(): row
        for row, (own, boxes) in enumerate(zip(glyphs, sizes, strict=True))
        for glyph, (height, width) in zip(own, boxes, strict=True)
    }
    found = []
    for picture in np.round(255 * pictures).astype(np.uint8):
        rows, columns = np.flatnonzero(picture.any(1)), np.flatnonzero(picture.any(0))
        found.append(table[np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).tobytes()])
    return found


def test_families_are_different_scripts_of_hundreds_of_letters() -> None:
    scripts = {split: {unicodedata.name(c).split()[0] for c in own} for split, own in letters().items()}
    assert scripts == {"train": {"LATIN", "CYRILLIC"}, "validation": {"GREEK"}, "test": {"ARMENIAN", "GEORGIAN"}}
    assert len(letters()["train"]) > 300
    assert len(letters()["test"]) >= 100
    assert len(faces()) == 12


def test_a_letter_that_looks_like_an_earlier_one_is_no_class() -> None:
    assert {"A", "Ж", "Ω"} <= set("".join(letters().values()))
    # Cyrillic and Greek A and O, Armenian oh
    assert not {"А", "Α", "О", "Ο", "օ"} & set("".join(letters().values()))


def test_pictures_of_the_bank_fit_their_boxes() -> None:
    for split in SPLITS:
        pictures, sizes = bank(split, 12)
        assert len(pictures) == len(letters()[split])
        assert pictures.reshape(*pictures.shape[:2], -1).max(-1).min() > 60
        assert sizes.max(-1).min() >= 7
        assert sizes.max() <= 11
        rows = np.arange(12) >= sizes[..., :1]
        assert not pictures.max(-1)[rows].any()


def test_a_label_means_one_letter_in_a_life_and_another_in_the_next() -> None:
    task = FewShotGlyphs(ways=3, shots=2, probes=1)
    lives = jax.device_get(sample_lives(task, "test", 8, key=jax.random.key(0)))
    meanings = []
    for inputs, targets, probes in zip(lives.inputs, lives.targets, lives.probe_inputs, strict=True):
        assert (targets == np.arange(3)).all()
        rows: np.ndarray = np.array([_known("test", step) for step in inputs] + [_known("test", probes)])
        np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))
        assert len(set(rows[0])) == 3
        meanings.append(tuple(rows[0]))
    assert len(set(meanings)) == 8


def test_letters_lie_anywhere_on_the_canvas() -> None:
    pictures = np.asarray(sample_lives(FewShotGlyphs(ways=5, shots=4, probes=1), "train", 30, key=jax.random.key(0)).inputs)
    flat = pictures.reshape(-1, 12, 12)
    inked = flat.max(axis=2) > 0
    tops = inked.argmax(1)
    bottoms = 12 - inked[:, ::-1].argmax(1)
    assert {0, 1, 2, 3} <= set(tops)
    assert {9, 10, 11, 12} <= set(bottoms)


def test_fewer_classes_are_a_subset_of_more() -> None:
    seen = []
    for classes in (4, 8, None):
        lives = sample_lives(FewShotGlyphs(classes=classes, ways=4, shots=1, probes=1), "train", 40, key=jax.random.key(1))
        seen.append(set(_known("train", np.asarray(lives.inputs).reshape(-1, 12, 12))))
    assert [len(own) for own in seen[:2]] == [4, 8]
    assert len(seen[2]) > 50
    assert all(fewer <= more or more is seen[2] for fewer, more in pairwise(seen))


def test_another_subset_is_of_other_letters_and_leaves_held_out_ones_alone() -> None:
    task = FewShotGlyphs(classes=4, subset=3, ways=4, shots=1, probes=1)
    inputs = np.asarray(sample_lives(task, "train", 40, key=jax.random.key(1)).inputs)
    assert set(_known("train", inputs.reshape(-1, 12, 12))) == set(some_of(len(letters()["train"]), 4, 3).tolist())
    inputs = np.asarray(sample_lives(task, "test", 40, key=jax.random.key(1)).inputs)
    assert len(set(_known("test", inputs.reshape(-1, 12, 12)))) > 50


@pytest.mark.parametrize(("available", "subset"), [(10, 0), (10, 1), (24, 7)])
def test_of_one_subset_fewer_classes_are_among_more(available: int, subset: int) -> None:
    all_of_them = some_of(available, None, subset)
    assert sorted(all_of_them) == list(range(available))
    for classes in (2, 5):
        np.testing.assert_array_equal(some_of(available, classes, subset), all_of_them[:classes])
    assert (subset == 0) == (all_of_them.tolist() == list(range(available)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"canvas": 7}, "canvas must be at least 8"),
        ({"classes": 1}, "classes must be from 2 to 3"),
        ({"classes": 1000}, "classes must be from 2 to 3"),
        ({"classes": 4}, "ways must be from 2 to 4, the letters of the smallest family; given 5"),
        ({"ways": 50}, "ways must be from 2 to 32, the letters of the smallest family; given 50"),
        ({"shots": 45}, r"shots \+ probes must be at most 48, the pictures of a letter; given 45 \+ 8"),
        ({"probes": 0}, "probes must be at least 1"),
    ],
)
def test_impossible_settings_are_refused_by_field(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FewShotGlyphs(**fields)
