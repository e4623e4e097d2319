"""What one part concludes from another's silence fits how often that one speaks."""

from __future__ import annotations

import pytest

from contract import timing
from infra.planning.site import Site


@pytest.mark.parametrize("relation", timing.RELATIONS, ids=lambda each: each.text)
def test_the_relation_holds(relation):
    assert relation.holds


def test_a_sites_default_times_outlast_a_lost_worker():
    defaults = {name: field.default for name, field in Site.model_fields.items()}

    assert defaults["max_wait_s"] >= timing.RECOVERY_S
    assert defaults["timeouts"].worker_s > timing.MISSED_S
