"""elasticsearch: documents, one and many. Its transport reads no proxy from the environment."""

import os

import elasticsearch
from elasticsearch import helpers

URL = "https://logs.es.eu-west-1.aws.elastic.cloud:443"
ELASTIC = elasticsearch.Elasticsearch(
    URL, api_key="not-a-key", ca_certs=os.environ["SSL_CERT_FILE"], max_retries=0, request_timeout=60
)


def searches():
    return ELASTIC.search(index="logs", query={"match_all": {}}, size=50)["hits"]["total"]["value"]


def puts():
    return ELASTIC.index(index="logs", id="1", document={"a": 1})["result"]


def puts_many():
    documents = [{"_index": "logs", "_id": str(number), "a": number} for number in range(3)]
    return helpers.bulk(ELASTIC, [*documents, {"_op_type": "delete", "_index": "logs", "_id": "9"}])[0]


def asks_by_sql():
    return ELASTIC.sql.query(query="SELECT name FROM people LIMIT 5")["rows"]


def deletes():
    return ELASTIC.delete(index="logs", id="1")["result"]


def deletes_by_query():
    return ELASTIC.delete_by_query(index="logs", query={"match_all": {}})["deleted"]


def deletes_an_index():
    return ELASTIC.indices.delete(index="logs")["acknowledged"]


STEPS = (searches, puts, puts_many, asks_by_sql, deletes, deletes_by_query, deletes_an_index)
