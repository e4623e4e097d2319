"""Where a group comes from: a document, a device, the API.

Every source is read into one *group document* (``docs/spec/group-document.md``); what the
document names (code, models, certificates) is fetched into content-addressed caches; the
result is a staged folder that ``edgecore.deploy.apply`` switches to.
"""

from edgecore.sources.errors import SourceError
from edgecore.sources.load import LoadedGroup, check_newer, load

__all__ = ["LoadedGroup", "SourceError", "check_newer", "load"]
