"""Group documents as CloudFormation stacks: the only importer of aws_cdk."""

from infra.stacks.site_stack import SiteStack
from infra.stacks.sites import add_sites, document_of

__all__ = ["SiteStack", "add_sites", "document_of"]
