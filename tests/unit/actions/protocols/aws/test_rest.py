"""Operations that a path leads to, and what tells those apart that share one."""

import pytest
from aws_requests import action, names

LAMBDA, EKS = "https://lambda.eu-west-1.amazonaws.com", "https://eks.eu-west-1.amazonaws.com"


def test_method_and_path_lead_to_an_operation():
    gone = action(f"DELETE {EKS}/clusters/main", sign="eks")
    assert (gone.name, gone.resource, gone.params["name"]) == ("aws.eks.DeleteCluster", "main", "main")


def test_a_slash_more_or_less_at_the_end_leads_to_no_other():
    assert names(f"GET {EKS}/clusters/") == names(f"GET {EKS}/clusters") == ["aws.eks.ListClusters"]


def test_a_head_is_a_get_that_nobody_wants_to_see():
    assert names(f"HEAD {EKS}/clusters/main") == ["aws.eks.DescribeCluster"]


def test_a_field_of_the_query_may_tell_operations_apart():
    front = "https://cloudfront.amazonaws.com/2020-05-31/tagging"
    assert names(f"POST {front}?Operation=Tag&Resource=a") == ["aws.cloudfront.TagResource"]
    assert names(f"POST {front}?Operation=Untag&Resource=a") == ["aws.cloudfront.UntagResource"]


@pytest.mark.parametrize(
    "line",
    [
        "POST https://cloudfront.amazonaws.com/2020-05-31/tagging?Operation=Tag&Operation=Untag&Resource=a",
        "POST https://cloudfront.amazonaws.com/2020-05-31/tagging?Operation=Tag&operation=Untag&Resource=a",
        "POST https://cloudfront.amazonaws.com/2020-05-31/tagging?Resource=a",
        f"POST {LAMBDA}/2015-03-31/functions/a/%69nvocations",
        f"GET {LAMBDA}/2015-03-31//functions/a",
        f"GET {LAMBDA}/2015-03-31/functions/a/nothing",
        f"PATCH {LAMBDA}/2015-03-31/functions/a",
    ],
)
def test_what_leads_to_two_or_to_none_is_unreadable(line):
    assert names(line) == ["aws.unreadable"]


def test_arns_in_paths_are_one_segment():
    arn = "arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fmain"
    told = action(f"GET {EKS}/tags/{arn}")
    assert (told.name, told.instance) == ("aws.eks.ListTagsForResource", "account:123456789012")


def test_an_api_that_is_hosted_there_is_written_to_by_its_backend():
    line = "DELETE https://a1.execute-api.eu-west-1.amazonaws.com/prod/@connections/abc%3D"
    assert names(line, sign="execute-api") == ["aws.apigatewaymanagementapi.DeleteConnection"]
