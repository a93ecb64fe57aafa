import pytest

from outgate.actions.access import access_of, judge
from outgate.actions.action import Tier


@pytest.mark.parametrize(
    ("name", "access", "tier"),
    [
        ("delete_file", "delete", "T2"),
        ("db_delete", "delete", "T3"),
        ("DeleteObject", "delete", "T2"),
        ("search_and_delete", "delete", "T2"),
        ("deleteAllItems", "delete", "T3"),
        ("list_files", "list", "T0"),
        ("ListBuckets", "list", "T0"),
        ("read_file", "read", "T0"),
        ("get_commit", "read", "T0"),
        ("get_release", "read", "T0"),
        ("get_secret", "read", "T1"),
        ("create_issue", "write", "T1"),
        ("mergePullRequest", "write", "T1"),
        ("send_email", "send", "T1"),
        ("list_messages", "list", "T0"),
        ("run_query", "execute", "T1"),
        ("exec", "execute", "T1"),
        ("run_list", "execute", "T1"),
        ("create_refund", "pay", "T2"),
        ("get_refund", "read", "T0"),
        ("set_role", "admin", "T2"),
        ("publish_package", "publish", "T3"),
        ("deploy_site", "publish", "T2"),
        ("get_or_create", "write", "T1"),
        ("get_and_tag", "write", "T1"),
    ],
)
def test_a_name_is_judged_by_its_verbs(name, access, tier):
    judged = access_of(name)
    assert (judged[0].value, judged[1].name) == (access, tier)


@pytest.mark.parametrize("name", ["", "foo", "kubectl", "___", "123", "frobnicate_widget", "GET"[::-1]])
def test_a_name_without_a_known_verb_is_unknown_and_never_a_read(name):
    judged = access_of(name)
    assert (judged[0].value, judged[1].name) == ("unknown", "T2")


def told(name, **said):
    judged = judge(name, **said)
    return judged.access.value, judged.tier.name


@pytest.mark.parametrize(
    ("name", "said", "judged"),
    [
        ("sts.GetFederationToken", {"level": "w"}, ("admin", "T2")),
        ("athena.GetSessionEndpoint", {"level": "w"}, ("write", "T1")),
        ("dynamodb.Query", {"level": "r"}, ("read", "T0")),
        ("ec2.DescribeInstances", {"level": "l"}, ("list", "T0")),
        ("ec2.TerminateInstances", {"level": "w"}, ("delete", "T3")),
        ("rds.PurchaseReservedDBInstancesOffering", {"level": "w"}, ("pay", "T2")),
        ("lambda.Invoke", {"level": "w"}, ("execute", "T1")),
        ("ssm.SendCommand", {"level": "w"}, ("execute", "T1")),
        ("ses.SendEmail", {"level": "w"}, ("send", "T1")),
        ("ec2.CreateTags", {"level": "t"}, ("write", "T1")),
        ("s3.PutBucketPolicy", {"level": "p"}, ("admin", "T2")),
        ("pods", {"level": "d"}, ("delete", "T2")),
        ("pods/exec", {"level": "x"}, ("execute", "T1")),
        ("things.Frobnicate", {"level": "w", "method": "DELETE"}, ("delete", "T2")),
    ],
)
def test_what_the_vendors_data_says_is_told_apart_by_the_verb_and_never_contradicted(name, said, judged):
    assert told(name, **said) == judged


@pytest.mark.parametrize(
    ("name", "method", "judged"),
    [
        ("repos/get", "GET", ("read", "T0")),
        ("repos/list-for-org", "GET", ("list", "T0")),
        ("frobnicate", "GET", ("read", "T0")),
        ("frobnicate", "HEAD", ("read", "T0")),
        ("records.delete", "GET", ("delete", "T2")),
        ("deadline.AssumeQueueRoleForUser", "GET", ("auth", "T2")),
        ("mail.unsubscribe", "GET", ("write", "T1")),
        ("actions/download-workflow-run-logs", "GET", ("read", "T1")),
        ("ccr.follow_stats", "GET", ("read", "T0")),
        ("frobnicate", "DELETE", ("delete", "T2")),
        ("things.get", "DELETE", ("delete", "T2")),
        ("frobnicate", "PUT", ("write", "T1")),
        ("things.search", "PUT", ("write", "T1")),
        ("frobnicate", "POST", ("write", "T1")),
        ("documents.search", "POST", ("read", "T0")),
        ("instances.delete", "POST", ("delete", "T2")),
        ("PostRadarValueListItems", "POST", ("write", "T1")),
        ("PostInvoicesInvoicePay", "POST", ("pay", "T2")),
        ("frobnicate", "", ("unknown", "T2")),
        ("frobnicate", "FROB", ("unknown", "T2")),
    ],
)
def test_a_method_says_what_the_name_does_not(name, method, judged):
    assert told(name, method=method) == judged


def test_the_last_literal_segment_of_a_path_speaks_where_a_name_has_no_verb():
    assert told("orders_by_id", method="POST", path="/v1/orders/{id}/cancel") == ("write", "T1")
    assert told("orders_by_id", method="POST", path="/v1/orders/{id}:delete") == ("delete", "T2")
    assert told("orders_by_id", path="/v1/orders/{id}/search") == ("unknown", "T2")


@pytest.mark.parametrize(
    ("name", "marks", "judged"),
    [
        ("users.get", "s", ("read", "T1")),
        ("things.update", "b", ("write", "T2")),
        ("things.delete", "b", ("delete", "T3")),
        ("things.update", "m", ("pay", "T2")),
        ("things.update", "i", ("write", "T3")),
        ("things.update", "u", ("write", "T3")),
        ("things.update", "p", ("write", "T2")),
        ("things.get", "biump", ("read", "T0")),
    ],
)
def test_a_mark_raises_the_tier_and_never_lowers_it(name, marks, judged):
    assert told(name, marks=marks) == judged
    assert judge(name, marks=marks).tier >= judge(name).tier


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("rds.DeleteDBSnapshot", "T3"),
        ("rds.DeleteDBClusterParameterGroup", "T2"),
        ("s3control.DeleteBucketReplication", "T2"),
        ("organizations.CloseAccount", "T3"),
        ("organizations.LeaveOrganization", "T3"),
        ("kms.ScheduleKeyDeletion", "T3"),
        ("route53domains.TransferDomain", "T3"),
        ("cloudtrail.StopLogging", "T3"),
        ("cloudtrail.DeleteTrail", "T3"),
        ("iot.CancelAuditTask", "T1"),
        ("transfer.UpdateWebApp", "T1"),
        ("glue.BatchDeleteTable", "T3"),
        ("frauddetector.DeleteBatchImportJob", "T2"),
        ("delete_by_query", "T3"),
        ("channels.allMembers.add", "T2"),
        ("custombatch", "T2"),
        ("items.batchdelete", "T3"),
        ("route53.ChangeResourceRecordSets", "T2"),
        ("ec2.ImportKeyPair", "T2"),
        ("billing.paymentMethods.create", "T2"),
    ],
)
def test_what_is_lost_suspended_or_done_to_many_is_told_by_the_noun(name, tier):
    assert judge(name).tier.name == tier


@pytest.mark.parametrize(
    ("name", "judged"),
    [
        ("mark_as_read", ("write", "T1")),
        ("take_screenshot", ("write", "T1")),
        ("timeScheduleDelete", ("delete", "T2")),
        ("list_create", ("write", "T1")),
        ("find_and_replace", ("write", "T1")),
        ("check_in", ("write", "T1")),
        ("get_then_purge", ("delete", "T3")),
        ("query_database", ("execute", "T1")),
        ("query", ("execute", "T1")),
        ("n8n_list_workflows", ("list", "T0")),
        ("unifi_get_switch_ports", ("read", "T0")),
        ("deploy_status", ("read", "T0")),
        ("is_deleted", ("read", "T0")),
        ("testIamPermissions", ("read", "T0")),
        ("create_access_token", ("auth", "T2")),
        ("post_data", ("write", "T1")),
        ("deleteallitems", ("delete", "T2")),
        ("deleted", ("unknown", "T2")),
        ("esql.async_query_stop", ("write", "T1")),
        ("webhooks.subscriptions.v3.create", ("admin", "T2")),
        ("create_organization_export", ("write", "T2")),
        ("assets.bulkDownloadLabels", ("read", "T1")),
        ("transfer", ("pay", "T2")),
        ("transfer_funds", ("pay", "T2")),
        ("transferIssue", ("write", "T1")),
        ("repos/transfer", ("admin", "T3")),
        ("chat.postMessage", ("send", "T1")),
        ("compute.securityPolicies.addRule", ("admin", "T2")),
    ],
)
def test_words_that_are_nouns_as_often_are_told_by_their_place(name, judged):
    assert told(name) == judged


def test_the_person_who_approves_reads_a_sentence_and_what_it_comes_from():
    judged = judge("ec2.DeleteFlowLogs", level="w", marks="u")
    assert judged.tier is Tier.T3
    assert judged.why == "It suspends a service, an account or a log."
    assert judged.evidence == ("level w", "verb delete", "mark u")


@pytest.mark.parametrize("name", ["x" * 5000, "get." * 2000, "a_" * 3000, "\uff21\u202eget", "\x00", "get\ndelete"])
def test_any_name_is_judged(name):
    assert judge(name).why
