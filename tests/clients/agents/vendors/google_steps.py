"""google-api-python-client: Storage, Compute Engine, Drive and Gmail, by the discovery documents that come with it."""

import base64

from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.http import MediaInMemoryUpload

ANN = Credentials("ya29.not-a-token")
STORAGE, COMPUTE, DRIVE, GMAIL = (
    build(name, version, credentials=ANN, static_discovery=True)
    for name, version in (("storage", "v1"), ("compute", "v1"), ("drive", "v3"), ("gmail", "v1"))
)
PLACE = {"project": "acme-shop", "zone": "europe-west1-b"}


def lists():
    return [one["name"] for one in STORAGE.objects().list(bucket="acme-logs", prefix="2026/").execute()["items"]]


def puts():
    media = MediaInMemoryUpload(b"hello", mimetype="text/plain")
    return STORAGE.objects().insert(bucket="acme-logs", name="a/b.txt", media_body=media).execute()["name"]


def puts_in_pieces():
    media = MediaInMemoryUpload(b"hello" * 1000, mimetype="text/plain", resumable=True)
    return STORAGE.objects().insert(bucket="acme-logs", name="large.txt", media_body=media).execute()["name"]


def sends():
    raw = base64.urlsafe_b64encode(b"To: bob@acme.example\r\nSubject: hello\r\n\r\nhello").decode()
    return GMAIL.users().messages().send(userId="me", body={"raw": raw}).execute()["id"]


def asks_at_length():
    """Over 2,048 characters, which it sends by POST with X-HTTP-Method-Override."""
    found = COMPUTE.instances().list(**PLACE, filter=" OR ".join(f"name = web-{number}" for number in range(200))).execute()
    return [one["name"] for one in found["items"]]


def shares():
    return DRIVE.permissions().create(fileId="f1", body={"type": "anyone", "role": "reader"}).execute()["id"]


def batches():
    came = {}
    batch = DRIVE.new_batch_http_request(callback=lambda name, answer, error: came.update({name: answer or str(error)}))
    batch.add(DRIVE.files().get(fileId="f1"), request_id="get")
    batch.add(DRIVE.files().delete(fileId="f2"), request_id="delete")
    batch.execute()
    return sorted(came)


def stops():
    return COMPUTE.instances().stop(**PLACE, instance="web-1").execute()["status"]


def deletes():
    return COMPUTE.instances().delete(**PLACE, instance="web-1").execute()["status"]


STEPS = (lists, puts, puts_in_pieces, sends, asks_at_length, shares, batches, stops, deletes)
