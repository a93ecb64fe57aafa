"""Every operation of AWS that botocore can write is read as just that, whichever of its protocols it is written in."""

import pytest
from catalog import aws_wire

pytestmark = pytest.mark.xdist_group("aws-wire")  # measured once


@pytest.fixture(scope="module")
def measured():
    return aws_wire.measure()


def test_nearly_all_are_read_as_the_operation_that_they_are(measured):
    assert measured.all > 21_000
    assert measured.exact >= 0.984, measured.table()


def test_hardly_any_is_read_as_another(measured):
    assert measured.of(aws_wire.WRONG) <= 5, [line for line in measured.misread if line.startswith(aws_wire.WRONG)]


def test_none_is_read_as_nothing(measured):
    assert measured.of(aws_wire.UNMAPPED) == 0, [line for line in measured.misread if line.startswith(aws_wire.UNMAPPED)]


def test_those_that_look_like_anothers_are_of_services_that_share_a_host_or_old_names_of_s3(measured):
    alike = {line.partition(": aws.")[2].partition(".")[0] for line in measured.misread if line.startswith(aws_wire.ALIKE)}
    assert alike <= {"docdb", "neptune", "qconnect", "greengrassv2", "lambda-microvms", "s3", "signer-data", "sms-voice"}


def test_what_is_told_by_the_body_is_never_told_without_it():
    assert [sent.name for sent in aws_wire.requests(every=12) if not aws_wire.unseen(sent)] == []


def test_the_first_request_to_a_service_takes_no_time_that_anybody_notices():
    assert aws_wire.cost(every=40).first < 5 * 60
