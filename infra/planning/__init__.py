"""Hardware profile + site + model footprint → plan → Greengrass V1 group document.

Pure: no CDK, no AWS, no clock, no environment. Only `load_site` and `load_profile` read files.

    site, profile = load_site(Path("sites/demo.yaml"), Path("device_profiles"))
    plan = plan_group(site, profile)
    findings = check(plan)
    group = render(plan)
"""

from infra.planning.boxes import Dealing, box_name, core_names
from infra.planning.capacity import Estimate, estimate
from infra.planning.checks import check
from infra.planning.difference import Change, changes
from infra.planning.document import render
from infra.planning.fields import Footprint, StageTimes
from infra.planning.findings import Finding, InvalidInput, errors
from infra.planning.load import Place, load_place, load_profile, load_site
from infra.planning.model import Plan, Reason
from infra.planning.planner import plan_group
from infra.planning.profile import Profile
from infra.planning.site import Site
from infra.planning.storage import ResultsStore, store_of

__all__ = [
    "Change",
    "Dealing",
    "Estimate",
    "Finding",
    "Footprint",
    "InvalidInput",
    "Place",
    "Plan",
    "Profile",
    "Reason",
    "ResultsStore",
    "Site",
    "StageTimes",
    "box_name",
    "changes",
    "check",
    "core_names",
    "errors",
    "estimate",
    "explain",
    "load_place",
    "load_profile",
    "load_site",
    "plan_group",
    "render",
    "store_of",
]


def explain(plan: Plan) -> list[Reason]:
    """Every number of the plan with why it is so and where that comes from."""
    return list(plan.reasons)
