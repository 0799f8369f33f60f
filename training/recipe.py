"""Recipes: the choices a training makes, by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from data.errors import UnknownName
from model.text import ALL_STEPS, REQUIRED_STEPS

# The steps without which a figure was worse beyond its interval (docs/text.md has the table); the others are off.
_PAYING = {"expand", "undouble", "stem_words"}
DEFAULT_STEPS = tuple(name for name in ALL_STEPS if name in {*REQUIRED_STEPS, *_PAYING})


@dataclass(frozen=True)
class Recipe:
    """How features and heads are fitted.

    `class_weighting`: "balanced" weighs a row by 1 / (its label's share), "square-root" by the root of that, which
    costs frequent sectors less. `region_weight`: the weight of the region among the features; 0 leaves it out.
    `folds`: how often rows are kept aside in turn to calibrate on. `text_steps`: the steps between a complaint and its
    features, in the order of `model.text`.
    """

    name: str
    regularisation: float = 0.3
    min_rows_per_term: int = 2
    class_weighting: Literal["balanced", "square-root"] = "square-root"
    region_weight: float = 0.5
    folds: int = 5
    text_steps: tuple[str, ...] = DEFAULT_STEPS

    def as_dict(self) -> dict[str, object]:
        """As a manifest holds it, where JSON knows lists only."""
        return asdict(self) | {"text_steps": list(self.text_steps)}


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("default"),
        # For rows that mix in much of a regional language or of chat spelling: no loss, no gain on the rows at hand.
        Recipe("whole-text", text_steps=tuple(ALL_STEPS)),
        # What most would build first; kept to measure against.
        Recipe("plain", class_weighting="balanced", region_weight=0.0, text_steps=REQUIRED_STEPS),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, or `UnknownName`."""
    try:
        return RECIPES[name]
    except KeyError:
        raise UnknownName("recipe", name, RECIPES) from None
