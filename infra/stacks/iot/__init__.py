"""Target iot as CloudFormation resources; what they say is infra/targets/iot's."""
