"""Few-shot glyphs: an Omniglot that needs no download (after Lake et al. 2015), of letters that ship with matplotlib."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evodev.tasks.base import Life, Split, check_split, placed, some_of, without_replacement
from evodev.tasks.supervised import FewShot
from evodev.types import Key

FAMILIES: dict[Split, tuple[str, ...]] = {
    "train": ("LATIN", "CYRILLIC"),
    "validation": ("GREEK",),
    "test": ("ARMENIAN", "GEORGIAN"),
}
ALIKE = 0.05
"""Two letters are one class if their shapes differ by less than this fraction of the box, in sans or in serif."""

VIEWS = 4
"""Renderings of a letter in each face, every one with a size and a rotation of its own."""


@cache
def faces() -> tuple[Path, ...]:
    """The DejaVu text faces that ship with matplotlib: sans, mono and serif, each upright, bold, slanted and both."""
    import matplotlib

    fonts = sorted((Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf"))
    return tuple(font for font in fonts if "Display" not in font.name)


def _rendered(letter: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """A letter, cut to its ink."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(letter))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), letter, fill=255, font=font)
    return image.crop(image.getbbox())


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """An image scaled so that its longer side is ``side``, at the upper left of a square field."""
    factor = side / max(image.size)
    width, height = (max(1, round(factor * n)) for n in image.size)
    field = Image.new("L", (side, side))
    field.paste(image.resize((width, height), Image.Resampling.BOX))
    return field


@cache
def letters() -> dict[Split, str]:
    """Classes of each family: letters common to all faces and without accents, and none that looks like an earlier one.

    618 letters have a name in one of the five scripts; many look alike (Latin, Cyrillic and Greek A, O and o):
    they are left to the family that comes first, or a test class would have been seen in training.
    """
    from matplotlib.ft2font import FT2Font

    common = sorted(set.intersection(*(set(FT2Font(face).get_charmap()) for face in faces())))
    plain = [
        chr(c) for c in common if unicodedata.category(chr(c)) in ("Lu", "Ll", "Lo") and not unicodedata.decomposition(chr(c))
    ]
    upright = [ImageFont.truetype(face, 48) for face in faces() if face.stem in ("DejaVuSans", "DejaVuSerif")]
    kept, families = np.empty((0, len(upright), 256), np.float32), dict.fromkeys(FAMILIES, "")
    for family, scripts in FAMILIES.items():
        for script in scripts:
            for letter in (c for c in plain if unicodedata.name(c).split()[0] == script):
                shape = np.stack([np.asarray(_fitted(_rendered(letter, font), 16), np.float32).ravel() / 255 for font in upright])
                if not len(kept) or np.abs(kept - shape).mean(-1).min() >= ALIKE:
                    kept, families[family] = np.concatenate([kept, shape[None]]), families[family] + letter
    return families


@cache
def bank(split: Split, canvas: int) -> tuple[np.ndarray, np.ndarray]:
    """All pictures of a family (classes, faces x VIEWS, canvas, canvas) in 0..255, and their heights and widths.

    A picture is a letter in one face, turned by up to 20 degrees either way, its longer side 60 to 95% of the canvas; it
    lies at the upper left. Classes are in a random order that is always the same, so that fewer are a subset of more.
    """
    draw = np.random.default_rng(0)
    order = draw.permutation(len(letters()[split]))
    fonts = [ImageFont.truetype(face, 3 * canvas) for face in faces()]
    pictures = np.zeros((len(order), len(fonts) * VIEWS, canvas, canvas), np.uint8)
    sizes = np.zeros((*pictures.shape[:2], 2), np.int32)
    for row, which in enumerate(order):
        uprights = [_rendered(letters()[split][which], font) for font in fonts]
        for view in range(pictures.shape[1]):
            angle, size = draw.uniform(-20, 20), draw.uniform(0.6, 0.95)
            turned = uprights[view // VIEWS].rotate(angle, Image.Resampling.BILINEAR, expand=True)
            picture = np.asarray(_fitted(turned.crop(turned.getbbox()), max(1, round(size * canvas))))
            pictures[row, view, : len(picture), : len(picture)] = picture
            sizes[row, view] = [np.flatnonzero(picture.any(axis)).max(initial=0) + 1 for axis in (1, 0)]
    return pictures, sizes


@dataclass(frozen=True)
class FewShotGlyphs(FewShot):
    """``ways`` letters a life, one picture of each at every step, in a random face, size, rotation and place.

    Train: Latin and Cyrillic; validation: Greek; test: Armenian and Georgian. Letters that look like one of an earlier
    family are left out. Which letter carries which label is drawn in each life. No picture is seen twice in a life.

    Attributes:
        canvas: side of the field, at least 8.
        classes: letters to train on; all of them if none.
        subset: which letters those are; each number stands for others, and of one subset fewer are among more.
        ways: classes in a life.
        shots: learning steps, each with one picture of every class.
        probes: probe pictures of each class.
    """

    canvas: int = 12
    classes: int | None = None
    ways: int = 5
    shots: int = 20
    probes: int = 8
    subset: int = 0

    def __post_init__(self) -> None:
        if self.canvas < 8:
            raise ValueError(f"task: canvas must be at least 8 for letters to differ; given {self.canvas}")
        known = {split: len(own) for split, own in letters().items()}
        if self.classes is not None and not 2 <= self.classes <= known["train"]:
            raise ValueError(f"task: classes must be from 2 to {known['train']}, the letters to train on; given {self.classes}")
        fewest = min(known["validation"], known["test"], self.classes or known["train"])
        self.check_few_shot((fewest, "the letters of the smallest family"), (len(faces()) * VIEWS, "the pictures of a letter"))

    @property
    def grid(self) -> tuple[int, ...]:
        return (self.canvas, self.canvas)

    @property
    def held_out(self) -> str:
        many = {split: len(own) for split, own in letters().items()}
        return (
            f"validation: {many['validation']} Greek letters; test: {many['test']} Armenian and Georgian letters; "
            f"trained on {self.classes or many['train']} Latin and Cyrillic letters"
        )

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        pictures, sizes = bank(split, self.canvas)
        among = some_of(len(pictures), self.classes, self.subset) if split == "train" else np.arange(len(pictures))
        key_class, key_picture, key_shift = jax.random.split(key, 3)
        letter = jnp.asarray(among)[jax.random.permutation(key_class, len(among))[: self.ways]]
        many = self.shots + self.probes
        picture = without_replacement(pictures.shape[1], many, self.ways, key=key_picture).T  # (examples, ways)
        chosen = jnp.asarray(pictures)[letter, picture].reshape(-1, self.canvas, self.canvas) / 255.0
        room = self.canvas - jnp.asarray(sizes)[letter, picture].reshape(-1, 2)
        corners = jax.random.randint(key_shift, room.shape, 0, room + 1)
        return self.life_of(placed(chosen, corners, self.canvas).reshape(many, self.ways, self.canvas, self.canvas))
