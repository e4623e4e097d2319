"""Group documents as CloudFormation stacks: the only importer of aws_cdk."""

from infra.stacks.site_stack import SiteStacks
from infra.stacks.sites import add_sites, documents_of

__all__ = ["SiteStacks", "add_sites", "documents_of"]
