"""Work with real SDKs as if nothing were a sandbox: create, read back, list, delete, stream. Prints what came of it as JSON lines."""

import json
import os
import urllib.error
import urllib.request

import anthropic
import boto3
import botocore.config
import openai
import stripe

KEY = "not-a-key"
MESSAGES = [{"role": "user", "content": "Count."}]


def with_openai():
    client = openai.OpenAI(api_key=KEY, max_retries=0)
    whole = client.chat.completions.create(model="gpt-5", messages=MESSAGES)
    chunks = list(
        client.chat.completions.create(model="gpt-5", messages=MESSAGES, stream=True, stream_options={"include_usage": True})
    )
    answered = client.responses.create(model="gpt-5", input="Count.")
    with client.responses.stream(model="gpt-5", input="Count.") as stream:
        streamed = stream.get_final_response()
    vectors = client.embeddings.create(model="text-embedding-3-small", input=["a"] * 600)
    try:
        client.chat.completions.create(model="gpt-5", messages=None)
    except openai.BadRequestError as error:
        refused = error.body["param"]
    return {
        "whole": whole.choices[0].message.content,
        "tokens": whole.usage.total_tokens - whole.usage.prompt_tokens,
        "pieces": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "usage": chunks[-1].usage.completion_tokens,
        "answered": answered.output_text,
        "streamed": streamed.output_text,
        "vectors": [len(vectors.data), len(vectors.data[-1].embedding)],
        "models": len(client.models.list().data) > 0,
        "refused": refused,
    }


def with_anthropic():
    client = anthropic.Anthropic(api_key=KEY, max_retries=0)
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": MESSAGES}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        pieces = "".join(stream.text_stream)
        final = stream.get_final_message()
    return {
        "whole": whole.content[0].text,
        "pieces": pieces,
        "stop": final.stop_reason,
        "counted": client.messages.count_tokens(model="claude-sonnet-4-5", messages=MESSAGES).input_tokens > 0,
    }


def with_stripe():
    client = stripe.StripeClient(KEY, max_network_retries=0).v1
    made = client.customers.create({"name": "ann", "metadata": {"team": "finance"}})
    read = client.customers.retrieve(made.id)
    changed = client.customers.update(made.id, {"email": "ann@example.test"})
    for _ in range(12):
        client.customers.create({"name": "more"})
    listed = [one.id for one in client.customers.list({"limit": 5}).auto_paging_iter()]
    intent = client.payment_intents.create({"amount": 500, "currency": "gbp", "confirm": True})
    refund = client.refunds.create({"payment_intent": intent.id, "amount": 200})
    deleted = client.customers.delete(made.id)
    try:
        client.customers.retrieve(made.id)
    except stripe.InvalidRequestError as error:
        gone = error.code
    return {
        "read": [read.name, read.metadata["team"]],
        "changed": changed.email,
        "listed": [len(listed), len(set(listed)), made.id in listed],
        "intent": [intent.status, intent.amount],
        "refund": [refund.id[:3], refund.amount],
        "deleted": deleted.deleted,
        "gone": gone,
    }


def with_boto3():
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="not-a-key",
        aws_secret_access_key="not-a-secret",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )
    client.put_object(Bucket="things", Key="a/b.txt", Body=b"hello", ContentType="text/plain", Metadata={"who": "ann"})
    got = client.get_object(Bucket="things", Key="a/b.txt")
    read = [got["Body"].read().decode(), got["ContentType"], got["Metadata"]]
    listed = [one["Key"] for one in client.list_objects_v2(Bucket="things")["Contents"]]
    client.delete_object(Bucket="things", Key="a/b.txt")
    try:
        client.get_object(Bucket="things", Key="a/b.txt")
    except client.exceptions.NoSuchKey as error:
        gone = type(error).__name__
    return {"read": read, "listed": listed, "gone": gone}


def with_urllib():
    """GitHub, Slack and SendGrid by hand, and a service that nobody described."""

    def ask(method, url, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            error.read()  # who leaves before the end of an answer leaves it unknown
            return error.code, None

    issue = ask("POST", "https://api.github.com/repos/acme/site/issues", {"title": "Fix it"})[1]
    closed = ask("PATCH", f"https://api.github.com/repos/acme/site/issues/{issue['number']}", {"state": "closed"})[1]
    thing = ask("POST", "https://crm.example.test/contacts", {"name": "bob"})[1]
    return {
        "issue": [issue["number"], closed["state"], closed["title"]],
        "slack": ask("POST", "https://slack.com/api/chat.postMessage", {"channel": "C1", "text": "hi"})[1]["ok"],
        "mail": ask("POST", "https://api.sendgrid.com/v3/mail/send", {"personalizations": [{}], "from": {}})[0],
        "thing": ask("GET", f"https://crm.example.test/contacts/{thing['id']}")[1]["name"],
        "other": ask("GET", "https://crm.example.test/contacts/nobody-7")[0],
    }


stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]  # it trusts a bundle of its own, whatever the environment says
os.environ["AWS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"]
for work in (with_openai, with_anthropic, with_stripe, with_boto3, with_urllib):
    print(json.dumps({work.__name__: work()}), flush=True)
