"""slack-sdk: channels, messages, files."""

import slack_sdk

SLACK = slack_sdk.WebClient("xoxb-not-a-token", retry_handlers=[])


def lists():
    return [channel["name"] for channel in SLACK.conversations_list(limit=100)["channels"]]


def reads():
    return [message["text"] for message in SLACK.conversations_history(channel="C1")["messages"]]


def posts():
    return SLACK.chat_postMessage(channel="C1", text="hello", blocks=[{"type": "divider"}])["ts"]


def uploads():
    return SLACK.files_upload_v2(channel="C1", filename="a.txt", content="hello", title="A file")["files"][0]["id"]


def invites():
    return SLACK.conversations_invite(channel="C1", users=["U1", "U2"])["ok"]


def deletes():
    return SLACK.chat_delete(channel="C1", ts="1.2")["ts"]


def archives():
    return SLACK.conversations_archive(channel="C1")["ok"]


STEPS = (lists, reads, posts, uploads, invites, deletes, archives)
