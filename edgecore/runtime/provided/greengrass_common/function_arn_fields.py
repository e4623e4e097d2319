"""Lambda function ARNs, taken apart as the published SDK expects."""

import re

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Optional

_ARN = re.compile(
    r"arn:aws[a-z-]*:lambda:([a-z0-9-]*):(\d{12}|):function:([A-Za-z0-9_-]{1,64})"
    r"(?::(\$LATEST|[A-Za-z0-9_-]{1,128}))?\Z"
)


class FunctionArnFields(object):
    """Fields of ``arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]``.

    Raises ValueError where the text is no such ARN.
    """

    def __init__(self, function_arn):
        # type: (str) -> None
        found = _ARN.match(function_arn)
        if found is None:
            raise ValueError("not a Lambda function ARN: {!r}".format(function_arn))
        self.region, self.account_id, self.name, self.qualifier = found.groups()
        self.unqualified_arn = function_arn[: found.end(3)]

    @staticmethod
    def build_arn_string(region, account_id, name, qualifier):
        # type: (str, Optional[str], str, Optional[str]) -> str
        """The whole ARN, as the SDK asks for it up to 1.3.0."""
        unqualified = "arn:aws:lambda:{}:{}:function:{}".format(region, account_id or "", name)
        return FunctionArnFields.build_function_arn(unqualified, qualifier)

    @staticmethod
    def build_function_arn(unqualified_arn, qualifier):
        # type: (str, Optional[str]) -> str
        """``unqualified_arn`` with ``:qualifier``, or as it is where that is empty."""
        return "{}:{}".format(unqualified_arn, qualifier) if qualifier else unqualified_arn
