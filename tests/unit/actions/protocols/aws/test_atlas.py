"""The index of AWS's services."""

from dataclasses import replace

from aws_requests import actions, catalog

from outgate.actions.mined import NOTHING
from outgate.actions.protocols.aws.atlas import atlas_of
from outgate.worker.frames import Done, Learn, answered, packed
from outgate.worker.frames import asked as read


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


def test_what_is_remembered_goes_to_another_process():
    found = actions("POST https://s3.eu-west-1.amazonaws.com/acme?delete", text="<Delete><Object><Key>a</Key></Object></Delete>")
    there = read(packed(Learn(catalog())))
    assert there.catalog.service("aws").at_hand.keys() == catalog().service("aws").at_hand.keys()
    assert answered(packed(Done(found))).found == found
