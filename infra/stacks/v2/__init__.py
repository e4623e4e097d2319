"""Target v2 as CloudFormation resources; what they say is infra/targets/v2's."""
