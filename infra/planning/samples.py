"""Which live images a device keeps whole, for labelling (docs/guides/samples.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.planning.fields import Name, Record

Label = Annotated[str, Field(min_length=1, max_length=200)]
Score = Annotated[float, Field(ge=0, le=1)]
MAX_RULES = 16


class SampleRule(Record):
    """One reason to keep an image: all that a rule says must be true of it."""

    name: Name = Field(description="Of the rule; kept with each image.")
    camera: Name | None = Field(default=None, description="One camera only; absent: every camera.")
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Of the images for which the rest of the rule is true."
    )
    label: Label | None = Field(default=None, description="Images on which it was found.")
    score_min: Score | None = Field(
        default=None, description="Score of the label, else of the best one, at least."
    )
    score_max: Score | None = Field(default=None, description="As score_min, at most.")
    disagreement: bool = Field(
        default=False, description="Images on which a canary's model and the old one differ."
    )
    per_hour: Annotated[float, Field(gt=0, le=36_000)] = Field(
        default=60.0, description="Of each camera at most, evenly: 60 is one a minute."
    )

    def contradictions(self) -> list[str]:
        found = []
        low, high = self.score_min, self.score_max
        if low is not None and high is not None and low > high:
            found.append(f"score_min: {low:g} is above score_max ({high:g}); exchange them")
        given = [f for f in ("label", "score_min", "score_max") if getattr(self, f) is not None]
        if self.disagreement and given:
            found.append(f"{given[0]}: has no meaning beside disagreement; use a rule for each")
        return found


class Samples(Record):
    """Whole pictures of live images, with what the model said, in the history's file."""

    max_bytes: Annotated[int, Field(ge=1_048_576)] = Field(
        default=268_435_456, description="Of history.max_bytes; the oldest pictures go first."
    )
    rules: Annotated[tuple[SampleRule, ...], Field(min_length=1, max_length=MAX_RULES)] = Field(
        description="The first one that is true keeps the image."
    )

    def contradictions(self) -> list[str]:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        return [f"rules: {', '.join(twice)} given twice; use each name once"] if twice else []
