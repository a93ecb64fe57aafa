"""The index of AWS's services."""

from dataclasses import replace

from aws_requests import catalog

from outgate.actions.mined import NOTHING
from outgate.actions.protocols.aws.atlas import atlas_of


def test_prefixes_lead_to_services_the_one_that_is_called_so_first():
    atlas = atlas_of(catalog().service("aws"))
    assert atlas.by_prefix["rds"] == ("rds", "docdb", "neptune")
    assert {"s3", "s3express"} <= atlas.signing["s3"]


def test_operations_have_their_place():
    atlas = atlas_of(catalog().service("aws"))
    part = atlas.parts["ec2"]
    assert part.facts[atlas.place(part, "TerminateInstances")].name == "ec2.TerminateInstances"
    assert atlas.place(part, "NoSuchThing") is None


def test_where_nothing_was_mined_there_is_none():
    assert atlas_of(replace(catalog().service("aws"), mined=NOTHING, at_hand={})) is None
