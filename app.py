#!/usr/bin/env python3
"""The CDK app: `cdk deploy SITE` for every file of sites/.

cdk deploy demo -c model=s3://bucket/models/lite0/1.1.0.tar.gz
cdk deploy demo -c site=demo      # whatever is wrong with another site
"""

import sys
from pathlib import Path

import aws_cdk as cdk

from infra.gate import passed
from infra.planning import errors
from infra.stacks import add_sites


def main() -> int:
    app = cdk.App()
    findings = add_sites(app, Path(__file__).resolve().parent)
    app.synth()
    for finding in findings:
        print(finding, file=sys.stderr)  # noqa: T201
    return 1 if errors(findings) or not passed() else 0


if __name__ == "__main__":
    sys.exit(main())
