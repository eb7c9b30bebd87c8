"""The client of Elasticsearch: its helper for bulks."""

from datetime import datetime, timezone

from elasticsearch import Elasticsearch, helpers

from events import KEY, URL, events, expect

source = "py-elasticsearch"
client = Elasticsearch(f"{URL}/elastic", api_key=KEY)
assert client.info()["version"]["number"]
actions = (
    {
        "_op_type": "create",
        "_index": "logs-app",
        "_source": {
            "@timestamp": datetime.now(timezone.utc).isoformat(),
            "log.level": event["level"],
            "message": event["message"],
            "service.name": source,
            **event["fields"],
        },
    }
    for event in events()
)
stored, errors = helpers.bulk(client, actions, chunk_size=15)
assert (stored, errors) == (40, []), (stored, errors)
expect(source, events())
